"""Commands of the music domain, one per module."""
