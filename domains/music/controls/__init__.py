"""TODO-FACE domains/music/controls."""
