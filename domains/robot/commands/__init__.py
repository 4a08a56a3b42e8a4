"""Commands of ``oneleap`` for robots."""
