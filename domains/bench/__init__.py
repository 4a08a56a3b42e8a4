"""All claims about speed in one run: the command ``oneleap bench all``."""
