"""TODO-FACE core/cli."""
