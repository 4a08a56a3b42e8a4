"""TODO-FACE core/hub."""
