"""TODO-FACE domains/music/models."""
