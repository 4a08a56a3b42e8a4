"""TODO-FACE core/sampling."""
