"""Registers the environments of this package with Gymnasium, without importing them.

``gymnasium.make("oneleap.domains.rl.envs.registration:oneleap/PointMaze-v0")`` imports this module
first. :meth:`oneleap.domains.rl.envs.task.Task.make` does the same for every id that begins with
``oneleap/``.
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
