"""TODO-FACE domains/singing/synthetic."""
