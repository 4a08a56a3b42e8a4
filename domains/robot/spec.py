"""Sizes and statistics that a policy is built from."""

from dataclasses import dataclass

from oneleap.domains.robot.envs.task import Task


@dataclass(frozen=True)
class Spec:
    """Sizes and statistics that a policy is built from; stored with its weights.

    Attributes:
        obs_keys: Keys of the low-dimensional observations, in the order they are concatenated.
        obs_sizes: Size of each low-dimensional observation.
        n_obs_steps: Number of successive observations a policy sees, including the current one.
        act_dim: Size of an action in the network's form, in which an absolute rotation takes 6
            numbers.
        horizon: Number of actions in a chunk, which the policy predicts at once.
        obs_shift: Offset subtracted from the observation of one step, one number per dimension.
        obs_scale: Divisor of the shifted observation.
        act_shift: Offset subtracted from an action.
        act_scale: Divisor of the shifted action; the network works on about [-1, 1]. It is 0 where
            the action is constant: generated actions are multiplied by it, and become the offset.
        cameras: Keys of the images, for example ``agentview_image``.
        image_size: Height and width of the images in pixels; 0 without images.
        absolute: Whether actions are gripper poses in the world frame instead of offsets from the
            current pose.
        task: Environment to evaluate in; ``None`` if it is unknown.
    """

    obs_keys: tuple[str, ...]
    obs_sizes: tuple[int, ...]
    n_obs_steps: int
    act_dim: int
    horizon: int
    obs_shift: tuple[float, ...]
    obs_scale: tuple[float, ...]
    act_shift: tuple[float, ...]
    act_scale: tuple[float, ...]
    cameras: tuple[str, ...] = ()
    image_size: tuple[int, int] = (0, 0)
    absolute: bool = False
    task: Task | None = None

    @property
    def obs_dim(self) -> int:
        """Size of the concatenated observations of one step."""
        return sum(self.obs_sizes)
