"""Packages of one field each, built on the core."""
