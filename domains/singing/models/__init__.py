"""TODO-FACE domains/singing/models."""
