"""TODO-FACE core/losses."""
