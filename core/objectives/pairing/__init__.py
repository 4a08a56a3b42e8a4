"""Objectives that choose which noise belongs to which data."""
