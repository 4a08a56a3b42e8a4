"""TODO-FACE domains/speech/commands."""
