"""TODO-FACE domains/speech/voice."""
