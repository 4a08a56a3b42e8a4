"""Scripted demonstrators of robosuite tasks, and mistakes they recover from."""
