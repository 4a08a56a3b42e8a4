"""TODO-FACE domains/audio/evaluation."""
