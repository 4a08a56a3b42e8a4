"""Acoustic model, curve model and duration model of a singer."""
