"""Segments (phrases as phonemes, notes and curves), their file formats, and the timing in them."""
