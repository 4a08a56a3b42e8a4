"""TODO-FACE domains/rl/evaluation."""
