"""Policies and their networks."""
