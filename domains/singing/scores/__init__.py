"""TODO-FACE domains/singing/scores."""
