"""Algorithms: behavior cloning, and offline actor-critic methods with one- or multi-step policies."""
