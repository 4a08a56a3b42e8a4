"""TODO-FACE domains/singing/commands."""
