"""TODO-FACE domains/rl/demonstrators."""
