"""The commands ``oneleap evaluate`` and ``oneleap export`` for vocoders."""
