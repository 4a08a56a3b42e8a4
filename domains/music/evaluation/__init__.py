"""TODO-FACE domains/music/evaluation."""
