"""TODO-FACE domains/robot/evaluation."""
