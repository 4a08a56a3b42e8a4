"""TODO-FACE domains/speech/text."""
