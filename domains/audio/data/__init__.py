"""Data modules of recordings for the training of vocoders."""
