"""TODO-FACE domains/singing/voice."""
