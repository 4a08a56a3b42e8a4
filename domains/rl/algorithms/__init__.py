"""Algorithms: behavior cloning, and offline actor-critic methods."""
