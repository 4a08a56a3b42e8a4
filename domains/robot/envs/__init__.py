"""TODO-FACE domains/robot/envs."""
