"""The data module of demonstrations: one file, one copy in memory on the training device."""

import warnings
from functools import cached_property

import lightning as L
import torch

from oneleap.core.errors import InputError, Notice, require_positive
from oneleap.core.training.loaders import Endless
from oneleap.core.training.seed import batch_generator
from oneleap.domains.robot.data.chunks import ChunkBatch, ChunkDataset, cut_chunks
from oneleap.domains.robot.data.robomimic import LoadedDemos, ReadOptions, read_demos
from oneleap.domains.robot.data.scaling import MinMax, Scaling
from oneleap.domains.robot.envs.task import Task
from oneleap.domains.robot.spec import Spec

LOW_DIM_KEYS = ("robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos", "object")
"""Low-dimensional observations that robomimic uses by default."""


class DemonstrationData(L.LightningDataModule):
    """Chunks of actions from a file in robomimic's layout, sampled uniformly and endlessly.

    Batches are not normalized: the policy normalizes them with the statistics of :attr:`spec`. No
    chunk crosses the end of its demonstration. Demonstrations shorter than a chunk are left out.

    Args:
        path: HDF5 file.
        obs: Keys of low-dimensional observations.
        cameras: Keys of images. A policy that sees images usually does without ``object``.
        filter_key: Name of a selection of demonstrations, for example ``train``; by default all.
        demos: Number of demonstrations to use, from the first; by default all.
        n_obs_steps: Number of successive observations a policy sees, including the current one.
        horizon: Number of actions in a chunk, which the policy predicts at once.
        obs_scaling: Normalization of observations.
        act_scaling: Normalization of actions.
        absolute: Whether to learn gripper poses, with rotations as six numbers, instead of offsets.
        max_episode_steps: Number of steps of an episode when the policy is evaluated.
        batch_size: Number of chunks per batch.
        workers: Number of threads that decompress images.
        seed: Seed of the sampling.
    """

    def __init__(
        self,
        path: str,
        *,
        obs: tuple[str, ...] = LOW_DIM_KEYS,
        cameras: tuple[str, ...] = (),
        filter_key: str | None = None,
        demos: int | None = None,
        n_obs_steps: int = 1,
        horizon: int = 8,
        obs_scaling: Scaling = MinMax(),  # noqa: B008  (frozen)
        act_scaling: Scaling = MinMax(),  # noqa: B008  (frozen)
        absolute: bool = False,
        max_episode_steps: int = 400,
        batch_size: int = 256,
        workers: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_positive(
            batch_size=batch_size, workers=workers, max_episode_steps=max_episode_steps
        )
        if not obs:
            raise InputError("obs: at least one low-dimensional observation is needed")
        if demos is not None:
            require_positive(demos=demos)
        self.path, self.obs, self.cameras = path, tuple(obs), tuple(cameras)
        self.filter_key, self.demos = filter_key, demos
        self.n_obs_steps, self.horizon = n_obs_steps, horizon
        self.obs_scaling, self.act_scaling, self.absolute = obs_scaling, act_scaling, absolute
        self.max_episode_steps, self.batch_size = max_episode_steps, batch_size
        self.workers, self.seed = workers, seed
        self._device = torch.device("cpu")

    @cached_property
    def loaded(self) -> LoadedDemos:
        """Contents of the file, on the CPU."""
        options = ReadOptions(self.obs, self.cameras, self.filter_key, self.demos, self.absolute)
        loaded = read_demos(self.path, options)
        note = version_note(self.path, Task(loaded.env_args))
        if note:
            warnings.warn(note, Notice, stacklevel=2)
        return loaded

    @cached_property
    def spec(self) -> Spec:
        """Sizes and statistics; the first access reads the file."""
        demos = self.loaded.demos
        obs_shift, obs_scale = self.obs_scaling.fit(demos.obs)
        act_shift, act_scale = self.act_scaling.fit(demos.act)
        images = next(iter(demos.images.values()), None)
        return Spec(
            obs_keys=self.obs,
            obs_sizes=self.loaded.obs_sizes,
            n_obs_steps=self.n_obs_steps,
            act_dim=demos.act.shape[1],
            horizon=self.horizon,
            obs_shift=tuple(obs_shift.tolist()),
            obs_scale=tuple(obs_scale.tolist()),
            act_shift=tuple(act_shift.tolist()),
            act_scale=tuple(act_scale.tolist()),
            cameras=self.cameras,
            image_size=(0, 0) if images is None else images.size,
            absolute=self.absolute,
            task=Task(self.loaded.env_args, self.max_episode_steps),
        )

    @cached_property
    def chunks(self) -> ChunkDataset:
        """All chunks, on the training device."""
        chunks = cut_chunks(self.loaded.demos, self.n_obs_steps, self.horizon)
        return chunks.to(self._device)

    def setup(self, stage: str) -> None:
        """Choose the device of the model for the data; images stay on the CPU."""
        if self.trainer is not None:
            self._device = self.trainer.strategy.root_device

    def train_dataloader(self) -> Endless[ChunkBatch]:
        """Return endless batches, a function of the seed and the gradient step alone.

        Threads decompress images a few batches ahead.
        """
        return Endless(self, self.batch, self.workers if self.cameras else 0, self.rows)

    def batch(self, step: int, rank: int = 0) -> ChunkBatch:
        """Return the batch of one gradient step on the process of a rank."""
        chunks = self.chunks
        generator = batch_generator(self.seed, step, rank, chunks.start.device)
        return chunks.batch(chunks.sample_indices(self.batch_size, generator))

    def rows(self, step: int, rank: int = 0) -> list[int]:
        """Return the chunks in the batch of one gradient step, as indices."""
        chunks = self.chunks
        generator = batch_generator(self.seed, step, rank, chunks.start.device)
        indices: list[int] = chunks.sample_indices(self.batch_size, generator).tolist()
        return indices


def version_note(path: str, task: Task) -> str | None:
    """Describe a difference between the file's robosuite and the installed one, if there is any.

    Minor versions count, patch versions do not.
    """
    from importlib.metadata import PackageNotFoundError, version

    try:
        installed = version("robosuite")
    except PackageNotFoundError:
        return None
    recorded = task.version or "before 1.4.1"
    if recorded.split(".")[:2] == installed.split(".")[:2]:
        return None
    return (
        f"{path}: env_args: recorded in robosuite {recorded}, but {installed} is installed: "
        "success may differ; collect again to compare"
    )
