"""TODO-FACE domains/music/commands."""
