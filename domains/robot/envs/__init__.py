"""Environments of robosuite, and rotations."""
