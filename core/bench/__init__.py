"""TODO-FACE core/bench."""
