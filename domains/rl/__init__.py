"""Offline reinforcement learning with one-step policies."""

import contextlib

with contextlib.suppress(ImportError):
    from farama_notifications import notifications

    # Printed at every import of the mazes, about environments of another kind.
    notifications.pop("gymnasium_robotics", None)
