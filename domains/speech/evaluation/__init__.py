"""TODO-FACE domains/speech/evaluation."""
