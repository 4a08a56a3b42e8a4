"""TODO-FACE domains/singing/segments."""
