"""The composer: generation of music by optimizing the initial noise (DITTO, DITTO-2)."""
