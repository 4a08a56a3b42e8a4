"""TODO-FACE domains/singing/evaluation."""
