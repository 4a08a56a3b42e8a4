"""The demonstration of the whole product: a policy, a voice, a song, a piece of music."""
