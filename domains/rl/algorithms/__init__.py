"""TODO-FACE domains/rl/algorithms."""
