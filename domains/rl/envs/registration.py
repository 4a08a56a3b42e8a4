"""Registers the environments of this package with Gymnasium, without importing them.

:func:`oneleap.domains.rl.envs.lookup.find_environment` imports this module before it looks up an id
that is not registered yet.
"""

from gymnasium.envs.registration import register

POINTMAZE = "oneleap/PointMaze-v0"
"""Gymnasium id of :class:`oneleap.domains.rl.envs.pointmaze.PointMaze`."""

POINTMAZE_PIXELS = "oneleap/PointMazePixels-v0"
"""Gymnasium id of :class:`oneleap.domains.rl.envs.pointmaze_pixels.PointMazePixels`."""

register(
    id=POINTMAZE,
    entry_point="oneleap.domains.rl.envs.pointmaze:PointMaze",
    order_enforce=False,
)
register(
    id=POINTMAZE_PIXELS,
    entry_point="oneleap.domains.rl.envs.pointmaze_pixels:PointMazePixels",
    order_enforce=False,
)
