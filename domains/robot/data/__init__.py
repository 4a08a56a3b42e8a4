"""TODO-FACE domains/robot/data."""
