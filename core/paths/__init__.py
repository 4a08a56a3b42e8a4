"""Gaussian paths between data and noise, and distributions of training times."""
