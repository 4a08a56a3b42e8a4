"""Whether a robot is commanded by offsets or by poses, as ``env_args`` of a file say."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

Frame = Literal["base", "world"]
"""Frame of absolute poses: that of the robot's base, or of the world."""

POSE_CONTROLLER = "OSC_POSE"
"""robosuite's controller of positions and rotations."""

POSE_DIM = 7
"""Numbers of a commanded pose: position, rotation vector, gripper."""


def controllers(args: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Find the descriptions of all parts' controllers; changes to them change ``args``.

    Args:
        args: Description of an environment, in the form of robosuite up to 1.4 or from 1.5.
    """
    kwargs = args.get("env_kwargs")
    return list(_parts(kwargs.get("controller_configs") if isinstance(kwargs, dict) else None))


def pose_controllers(args: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Find the descriptions of all arms' pose controllers, as :func:`controllers` does."""
    return [part for part in controllers(args) if part["type"] == POSE_CONTROLLER]


def _parts(config: object) -> Iterator[dict[str, Any]]:
    if isinstance(config, list | tuple):
        for item in config:
            yield from _parts(item)
    elif isinstance(config, dict):
        if "type" in config:
            yield config
        parts = config.get("body_parts") if "type" in config else config
        for item in parts.values() if isinstance(parts, dict) else ():
            yield from _parts(item)


def takes_poses(controller: Mapping[str, Any]) -> bool:
    """Whether a controller's actions are targets, for an arm poses, instead of offsets.

    robosuite 1.5 says ``input_type: absolute``, earlier versions ``control_delta: false``.
    """
    kind = controller.get("input_type")
    return kind == "absolute" if kind is not None else controller.get("control_delta") is False


def is_absolute(args: Mapping[str, Any]) -> bool:
    """Whether the actions of an environment are poses of all its arms."""
    arms = pose_controllers(args)
    return bool(arms) and all(map(takes_poses, arms))


def has_range(args: Mapping[str, Any]) -> bool:
    """Whether actions are offsets, which have a range; targets of joints and poses have none."""
    return not any(map(takes_poses, controllers(args)))


def set_control(controller: dict[str, Any], absolute: bool, frame: Frame | None = None) -> None:
    """Make a pose controller take poses or offsets, in place.

    Args:
        controller: Description of the controller.
        absolute: Whether actions are poses.
        frame: Frame of the poses; ``None`` keeps that of a controller that takes poses already,
            and is the world's for others.
    """
    if absolute and (frame is not None or not takes_poses(controller)):
        controller["input_ref_frame"] = frame or "world"
    controller.pop("control_delta", None)
    controller["input_type"] = "absolute" if absolute else "delta"
