"""Demonstrations: reading, writing, normalization and batches."""
