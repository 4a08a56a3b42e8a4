"""TODO-FACE domains/rl/nets."""
