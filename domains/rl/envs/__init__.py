"""Environments of the domain, and tasks that are played in them."""
