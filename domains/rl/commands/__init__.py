"""TODO-FACE domains/rl/commands."""
