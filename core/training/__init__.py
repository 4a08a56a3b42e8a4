"""TODO-FACE core/training."""
