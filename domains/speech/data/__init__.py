"""TODO-FACE domains/speech/data."""
