"""TODO-FACE domains/rl/envs."""
