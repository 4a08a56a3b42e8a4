"""TODO-FACE core/paths."""
