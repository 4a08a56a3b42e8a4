"""The data module of demonstrations: one file, one copy in memory on the training device."""

import warnings
from functools import cached_property
from typing import Any

import lightning as L
import torch
from torch import Tensor

from oneleap.core.errors import InputError, Notice, require_positive
from oneleap.core.training.loaders import Endless, FixedBatches
from oneleap.core.training.seed import batch_generator
from oneleap.domains.robot.data.chunks import ChunkBatch, ChunkDataset, cut_chunks
from oneleap.domains.robot.data.replay import replay_note
from oneleap.domains.robot.data.robomimic import LoadedDemos, ReadOptions, read_demos
from oneleap.domains.robot.data.scaling import MinMax, Scaling
from oneleap.domains.robot.data.split import Validation
from oneleap.domains.robot.envs.control import Frame
from oneleap.domains.robot.envs.task import Task
from oneleap.domains.robot.spec import Spec

LOW_DIM_KEYS = ("robot0_eef_pos", "robot0_eef_quat", "robot0_gripper_qpos", "object")
"""Low-dimensional observations that robomimic uses by default."""

MAX_VALIDATION_ROWS = 1024
"""Number of held-out chunks at most that a validation looks at, spread evenly."""


class DemonstrationData(L.LightningDataModule):
    """Chunks of actions from a file in robomimic's layout, sampled uniformly and endlessly.

    The page "What a robot's data file must hold" describes the file. It may be of a real robot or
    of any simulator: only evaluation in an environment needs robosuite.

    Batches are not normalized: the policy normalizes them with the statistics of :attr:`spec`. No
    chunk crosses the end of its demonstration; demonstrations shorter than a chunk are padded with
    their last action.

    Args:
        path: HDF5 file.
        obs: Keys of low-dimensional observations.
        cameras: Keys of images of one size. A policy that sees images usually does without
            ``object``.
        filter_key: Name of a selection of demonstrations, for example ``train``; by default all.
        demos: Number of demonstrations to use, from the first; by default all.
        validation: Demonstrations to hold out: a share, or the name of a filter key. By default
            those of ``valid`` if ``filter_key`` is ``train``; a tenth, or those of ``valid``, if
            there is no environment to evaluate in; otherwise none.
        n_obs_steps: Number of successive observations a policy sees, including the current one.
        horizon: Number of actions in a chunk, which the policy predicts at once.
        obs_scaling: Normalization of observations.
        act_scaling: Normalization of actions.
        action_key: Name of the actions in each demonstration; by default ``actions``, or
            ``actions_abs`` if poses are wanted and ``actions`` are offsets.
        absolute: Whether actions are gripper poses instead of offsets; rotations are learned as six
            numbers. By default as the file's ``env_args`` say.
        pose_frame: Frame of the poses; by default that of ``env_args``, or the world's.
        env: Name of an environment of robosuite to evaluate in, or ``none``; by default that of the
            file.
        max_episode_steps: Number of steps of an episode when the policy is evaluated; by default
            ``horizon`` in the file's ``env_kwargs``, or else twice the longest demonstration, at
            least 400.
        replay: Whether to replay the first demonstration before training if robosuite is
            installed, and to say so if it fails.
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
        validation: Validation = None,
        n_obs_steps: int = 1,
        horizon: int = 8,
        obs_scaling: Scaling = MinMax(),  # noqa: B008  (frozen)
        act_scaling: Scaling = MinMax(),  # noqa: B008  (frozen)
        action_key: str | None = None,
        absolute: bool | None = None,
        pose_frame: Frame | None = None,
        env: str | None = None,
        max_episode_steps: int | None = None,
        replay: bool = True,
        batch_size: int = 256,
        workers: int = 2,
        seed: int = 0,
    ) -> None:
        super().__init__()
        require_positive(batch_size=batch_size, workers=workers)
        given = {"demos": demos, "max_episode_steps": max_episode_steps}
        require_positive(**{name: n for name, n in given.items() if n is not None})
        if not obs:
            raise InputError("obs: at least one low-dimensional observation is needed")
        self.path, self.obs, self.cameras = path, tuple(obs), tuple(cameras)
        self.filter_key, self.demos, self.validation = filter_key, demos, validation
        self.n_obs_steps, self.horizon = n_obs_steps, horizon
        self.obs_scaling, self.act_scaling = obs_scaling, act_scaling
        self.action_key, self.absolute, self.pose_frame = action_key, absolute, pose_frame
        self.env, self.max_episode_steps, self.replay = env, max_episode_steps, replay
        self.batch_size, self.workers, self.seed = batch_size, workers, seed
        self._device = torch.device("cpu")

    @property
    def _options(self) -> ReadOptions:
        return ReadOptions(
            self.obs,
            self.cameras,
            self.filter_key,
            self.demos,
            self.absolute,
            self.action_key,
            self.env,
            self.validation,
        )

    @cached_property
    def loaded(self) -> LoadedDemos:
        """Demonstrations for training, on the CPU."""
        loaded = read_demos(self.path, self._options)
        notes = list(loaded.notes)
        if loaded.env_args is not None:
            notes += filter(None, [version_note(self.path, Task(loaded.env_args))])
        lengths = loaded.demos.bounds.diff()
        short = int((lengths < self.horizon).sum())
        if short:
            notes.append(
                f"{self.path}: {short} of {len(lengths)} demonstrations are shorter than the "
                f"horizon {self.horizon}: their last action is repeated"
            )
        for note in notes:
            warnings.warn(note, Notice, stacklevel=2)
        return loaded

    @cached_property
    def held_out(self) -> LoadedDemos | None:
        """Demonstrations for validation, on the CPU; ``None`` if none are held out."""
        if not self.loaded.held_out:
            return None
        return read_demos(self.path, self._options, held_out=True)

    @cached_property
    def task(self) -> Task | None:
        """Environment to evaluate in, with arms that take the actions that are learned."""
        loaded = self.loaded
        if loaded.env_args is None:
            return None
        task, longest = Task(loaded.env_args), int(loaded.demos.bounds.diff().max())
        stated: Any = task.parsed().get("env_kwargs", {}).get("horizon")
        default = stated if isinstance(stated, int) and stated > 0 else max(400, 2 * longest)
        task = Task(loaded.env_args, self.max_episode_steps or default)
        if loaded.form.absolute != task.absolute or self.pose_frame is not None:
            task = task.with_control(loaded.form.absolute, self.pose_frame)
        return task

    @cached_property
    def spec(self) -> Spec:
        """Sizes and statistics; the first access reads the file."""
        demos = self.loaded.demos
        obs_shift, obs_scale = self.obs_scaling.fit(demos.obs)
        act_shift, act_scale = self.act_scaling.fit_actions(demos.act)
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
            absolute=self.loaded.form.absolute,
            task=self.task,
        )

    def prepare_data(self) -> None:
        """Replay the first demonstration, and say if it does not solve its task."""
        trainer = self.trainer
        starts = trainer is not None and trainer.state.fn == "fit" and not trainer.ckpt_path
        if self.replay and starts and self.task is not None:
            note = replay_note(self.path, self.loaded, self.task)
            if note:
                warnings.warn(note, Notice, stacklevel=1)  # Lightning would prefix its own file

    @cached_property
    def chunks(self) -> ChunkDataset:
        """All chunks for training, on the training device."""
        chunks = cut_chunks(self.loaded.demos, self.n_obs_steps, self.horizon)
        return chunks.to(self._device)

    def setup(self, stage: str) -> None:
        """Choose the device of the model for the data; images stay on the CPU."""
        if self.trainer is None:
            return
        self._device = self.trainer.strategy.root_device
        if stage == "fit" and not self.loaded.held_out:
            self.trainer.limit_val_batches = 0  # Lightning warns about a loader without batches

    def train_dataloader(self) -> Endless[ChunkBatch]:
        """Return endless batches, a function of the seed and the gradient step alone.

        Threads decompress images a few batches ahead.
        """
        return Endless(self, self.batch, self.workers if self.cameras else 0, self.rows)

    def val_dataloader(self) -> FixedBatches[ChunkBatch]:
        """Return held-out chunks, spread evenly.

        Raises:
            InputError: No demonstrations are held out.
        """
        if self.held_out is None:
            raise InputError(f"{self.path}: no demonstrations are held out: set --data.validation")
        chunks = cut_chunks(self.held_out.demos, self.n_obs_steps, self.horizon).to(self._device)
        rows = even_rows(len(chunks), MAX_VALIDATION_ROWS).to(self._device)
        size = self.batch_size
        parts = (rows[k : k + size] for k in range(0, len(rows), size))
        return FixedBatches([chunks.batch(part) for part in parts])

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


def even_rows(n: int, most: int) -> Tensor:
    """Return numbers of at most ``most`` of ``n`` rows, spread evenly."""
    return torch.linspace(0, n - 1, min(most, n)).round().long()


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
