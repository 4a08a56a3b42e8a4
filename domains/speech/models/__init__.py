"""TODO-FACE domains/speech/models."""
