"""TODO-FACE domains/robot/commands."""
