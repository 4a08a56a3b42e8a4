"""TODO-FACE domains/rl/data."""
