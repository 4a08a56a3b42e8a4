"""TODO-FACE domains/singing/data."""
