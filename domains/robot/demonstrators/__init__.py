"""TODO-FACE domains/robot/demonstrators."""
