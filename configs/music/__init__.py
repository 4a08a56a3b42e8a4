"""Configurations of music models."""
