"""Policies that collect data: waypoint control in mazes, and Stable-Baselines3 checkpoints."""
