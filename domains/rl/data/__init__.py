"""Offline data: readers of D4RL and Minari files, rewards, and data modules."""
