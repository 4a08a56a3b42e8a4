"""Objectives for flow maps: the field ``u(z, r, t)`` at every ``r``, or along a trajectory."""
