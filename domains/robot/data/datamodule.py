"""Demonstrations for training: one reader, one copy in memory on the training device."""

import warnings
from functools import cached_property

import lightning as L
import torch

from oneleap.core.errors import InputError, Notice
from oneleap.core.training.loaders import Endless
from oneleap.core.training.seed import batch_generator
from oneleap.domains.robot.data.chunks import Batch, Chunks, chunks
from oneleap.domains.robot.data.robomimic import Loaded, Wanted, read
from oneleap.domains.robot.data.scaling import MinMax, Scaling
from oneleap.domains.robot.envs.task import Spec, Task

LOW_DIM = ("robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos", "object")
"""robomimic's own choice."""


class Demonstrations(L.LightningDataModule):
    """Chunks of actions of a file in robomimic's layout, sampled uniformly and without end.

    Observations and actions are handed out as they are: the policy normalises them by what is in
    :attr:`spec`. No chunk crosses the end of its demonstration; demonstrations shorter than a
    chunk are left out.

    Args:
        path: The HDF5 file.
        obs: Keys of low-dimensional observations.
        cameras: Keys of images; with images one leaves ``object`` out of ``obs``.
        filter_key: Name of a selection of demonstrations, ``train`` say; all by default.
        demos: Take the first so many only.
        obs_steps: Observations a policy sees, the present one included.
        chunk: Actions predicted at once.
        obs_scaling: How observations are normalised.
        act_scaling: How actions are.
        absolute: Learn poses of the gripper, their rotation as six numbers, in place of offsets.
        horizon: Steps of an episode when the policy is evaluated.
        batch_size: Chunks per batch.
        workers: Threads that decode images.
        seed: Of the draws.
    """

    def __init__(
        self,
        path: str,
        *,
        obs: tuple[str, ...] = LOW_DIM,
        cameras: tuple[str, ...] = (),
        filter_key: str | None = None,
        demos: int | None = None,
        obs_steps: int = 1,
        chunk: int = 8,
        obs_scaling: Scaling = MinMax(),  # noqa: B008  (frozen)
        act_scaling: Scaling = MinMax(),  # noqa: B008  (frozen)
        absolute: bool = False,
        horizon: int = 400,
        batch_size: int = 256,
        workers: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        positive = {"batch_size": batch_size, "workers": workers, "horizon": horizon}
        for name, number in positive.items():
            if number < 1:
                raise InputError(f"{name}: {number} is not positive")
        if not obs:
            raise InputError("obs: at least one low-dimensional observation is needed")
        if demos is not None and demos < 1:
            raise InputError(f"demos: {demos} is not positive")
        self.path, self.obs, self.cameras = path, tuple(obs), tuple(cameras)
        self.filter_key, self.demos = filter_key, demos
        self.obs_steps, self.chunk = obs_steps, chunk
        self.obs_scaling, self.act_scaling, self.absolute = obs_scaling, act_scaling, absolute
        self.horizon, self.batch_size = horizon, batch_size
        self.workers, self.seed = workers, seed
        self._device = torch.device("cpu")

    @cached_property
    def loaded(self) -> Loaded:
        """What the file holds, on the CPU."""
        wanted = Wanted(self.obs, self.cameras, self.filter_key, self.demos, self.absolute)
        loaded = read(self.path, wanted)
        note = other_version(self.path, Task(loaded.env_args))
        if note:
            warnings.warn(note, Notice, stacklevel=2)
        return loaded

    @cached_property
    def spec(self) -> Spec:
        """Sizes and statistics; reads the file when first asked for."""
        demos = self.loaded.demos
        obs_shift, obs_scale = self.obs_scaling.fit(demos.obs)
        act_shift, act_scale = self.act_scaling.fit(demos.act)
        frames = next(iter(demos.images.values()), None)
        return Spec(
            obs_keys=self.obs,
            obs_sizes=self.loaded.obs_sizes,
            obs_steps=self.obs_steps,
            act_dim=demos.act.shape[1],
            chunk=self.chunk,
            obs_shift=tuple(obs_shift.tolist()),
            obs_scale=tuple(obs_scale.tolist()),
            act_shift=tuple(act_shift.tolist()),
            act_scale=tuple(act_scale.tolist()),
            cameras=self.cameras,
            image_size=(0, 0) if frames is None else frames.size,
            absolute=self.absolute,
            task=Task(self.loaded.env_args, self.horizon),
        )

    @cached_property
    def chunks(self) -> Chunks:
        """What is trained on, on the training device."""
        return chunks(self.loaded.demos, self.obs_steps, self.chunk).to(self._device)

    def setup(self, stage: str) -> None:
        """Put the data where the model will be, once; images stay on the CPU."""
        if self.trainer is not None:
            self._device = self.trainer.strategy.root_device

    def train_dataloader(self) -> Endless[Batch]:
        """Endless batches, a function of the seed and the gradient step alone.

        Images are decoded by threads, some batches ahead.
        """
        return Endless(self, self.batch, self.workers if self.cameras else 0)

    def batch(self, step: int, rank: int = 0) -> Batch:
        """The batch of a gradient step on the process of a rank."""
        table = self.chunks
        generator = batch_generator(self.seed, step, rank, table.start.device)
        return table.batch(table.draw(self.batch_size, generator))


def other_version(where: str, task: Task) -> str | None:
    """A line if the environment was another robosuite's than the one installed, if one is."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        ours = version("robosuite")
    except PackageNotFoundError:
        return None
    theirs = task.version or "before 1.4.1"
    if theirs.split(".")[:2] == ours.split(".")[:2]:
        return None
    return (
        f"{where}: env_args: demonstrated in robosuite {theirs}, evaluated here in {ours}: success "
        "may differ; collect again to compare"
    )
