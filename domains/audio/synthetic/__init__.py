"""A teacher voice that speech and singing share, and what a teacher returns."""
