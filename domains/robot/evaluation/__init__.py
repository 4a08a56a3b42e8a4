"""Evaluation of policies in simulation."""
