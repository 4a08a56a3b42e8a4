"""Differentiable features of mel spectrograms: loudness, timbre, rhythm and pitch classes."""
