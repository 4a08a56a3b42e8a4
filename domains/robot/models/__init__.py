"""TODO-FACE domains/robot/models."""
