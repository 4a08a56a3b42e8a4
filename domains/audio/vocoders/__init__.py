"""TODO-FACE domains/audio/vocoders."""
