"""TODO-FACE domains/music/data."""
