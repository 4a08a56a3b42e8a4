"""TODO-FACE core/fields."""
