"""Vocoders Vocos, NSF and Griffin-Lim, and the training of the first two."""
