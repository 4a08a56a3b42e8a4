"""TODO-FACE domains/music/features."""
