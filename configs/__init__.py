"""Configurations that ship with oneleap."""
