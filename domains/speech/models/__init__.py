"""The acoustic model, its networks, and the alignment of text with frames."""
