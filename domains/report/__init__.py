"""A page about a run or a model: the command ``oneleap report``."""
