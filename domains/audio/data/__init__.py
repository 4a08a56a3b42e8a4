"""TODO-FACE domains/audio/data."""
