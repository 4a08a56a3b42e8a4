"""Distances between prediction and target, dispersive losses, and recorded activations."""
