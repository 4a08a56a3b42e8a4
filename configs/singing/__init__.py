"""Singing."""
