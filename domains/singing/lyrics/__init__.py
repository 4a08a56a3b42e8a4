"""Lyrics to phonemes: Japanese by morae, other languages by dictionaries."""
