"""An HTTP server for voices and policies: the command ``oneleap serve``."""
