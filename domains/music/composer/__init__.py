"""TODO-FACE domains/music/composer."""
