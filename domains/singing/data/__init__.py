"""Recordings with scores, their features, and the data module."""
