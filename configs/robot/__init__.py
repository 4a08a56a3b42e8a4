"""Robot manipulation."""
