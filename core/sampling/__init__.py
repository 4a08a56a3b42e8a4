"""Sampling: from noise to data, as functions and as samplers that configurations name."""
