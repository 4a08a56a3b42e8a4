"""Algorithms whose policy is a flow, the student of one, or a map straight from noise."""
