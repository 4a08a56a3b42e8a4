"""Offline reinforcement learning with one-step policies."""
