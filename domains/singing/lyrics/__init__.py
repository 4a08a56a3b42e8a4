"""TODO-FACE domains/singing/lyrics."""
