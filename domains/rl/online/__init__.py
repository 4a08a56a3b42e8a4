"""TODO-FACE domains/rl/online."""
