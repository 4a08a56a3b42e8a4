"""TODO-FACE domains/audio/commands."""
