"""Offline data whose observations are images: readers, and a data module that keeps bytes."""

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from gymnasium import spaces
from jaxtyping import UInt8
from minari.dataset.minari_storage import MinariStorage
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.rl.data import d4rl, minari
from oneleap.domains.rl.data.datamodule import OfflineData, naming_page
from oneleap.domains.rl.data.files import TASK_KEY, column, is_steps_file, read_file, task_text
from oneleap.domains.rl.data.minari_tasks import tasks
from oneleap.domains.rl.data.rewards import Reward, StoredReward
from oneleap.domains.rl.data.transitions import LoadedData, Transitions
from oneleap.domains.rl.data.validation import (
    build_dataset,
    episode_bounds,
    refuse_discrete,
    validate_actions,
    validate_fields,
)
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.nets.vision import random_shift
from oneleap.domains.rl.spec import Spec

Images = NDArray[np.uint8]


class PixelTable(NamedTuple):
    """Transitions whose observations are row numbers of images; it samples like ``Transitions``.

    Attributes:
        steps: Transitions with observations (n, 1).
        images: All images, each stored once.
        pad: Largest random shift of an image in a batch, in pixels.
    """

    steps: Transitions
    images: UInt8[Tensor, "m h w c"]
    pad: int

    @property
    def obs(self) -> Tensor:
        """Row numbers of the images, (n, 1), on the training device."""
        return self.steps.obs

    def sample(self, n: int, generator: torch.Generator) -> Transitions:
        """Draw ``n`` transitions; both images of a transition get a random shift of their own."""
        sampled = self.steps.sample(n, generator)
        obs, next_obs = (self._shifted(rows, generator) for rows in (sampled.obs, sampled.next_obs))
        return sampled._replace(obs=obs, next_obs=next_obs)

    def _shifted(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        images = self.images[rows[:, 0].long()]
        return random_shift(images, self.pad, generator).flatten(1).float()


class PixelData(OfflineData):
    """Transitions between images. Each image is stored once, as uint8, on the training device.

    Args:
        path: HDF5 file of D4RL's layout whose observations are uint8 (n, height, width, channels),
            or a Minari data set with such images. Minari stores images as JPEG in its HDF5 files,
            which loses detail and needs at least 32 pixels a side.
        env: Gymnasium id of an environment that observes the same images, flattened; ``none``
            trains without evaluation. By default that of the data.
        reward: Reward to train on.
        gamma: Discount of future rewards.
        n_step: Number of rewards that are summed before the value.
        batch_size: Transitions per batch.
        pad: Largest random shift of an image, in pixels; 0 for none.
        clip_actions: Whether to clip actions outside their bounds instead of refusing them.
        horizon: Largest number of steps of an episode, for files without ``timeouts``; by default
            that of the environment.
        seed: Seed of the batches.
    """

    def __init__(
        self,
        path: str,
        *,
        env: str | None = None,
        reward: Reward = StoredReward(),  # noqa: B008  (frozen)
        gamma: float = 0.99,
        n_step: int = 1,
        batch_size: int = 256,
        pad: int = 2,
        clip_actions: bool = False,
        horizon: int | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(
            path,
            env=env,
            reward=reward,
            gamma=gamma,
            n_step=n_step,
            batch_size=batch_size,
            clip_actions=clip_actions,
            horizon=horizon,
            validation=0.0,
            seed=seed,
        )
        if pad < 0:
            raise InputError(f"pad: {pad} is negative")
        self.pad = pad

    @cached_property
    def _contents(self) -> tuple[LoadedData, Images]:
        path = str(Path(self.path).expanduser())
        with naming_page():
            if is_steps_file(path):
                found = read_pixel_d4rl(path, self.env, self.clip_actions, self.horizon)
            else:
                found = read_pixel_minari(path, self.clip_actions)
            loaded, images = found
            task = loaded.task
            if self.env is not None:
                task = None if self.env == "none" else Task(self.env)
            if task is not None:
                size = int(np.prod(images.shape[1:]))
                task = task.fitted(path, size, loaded.data.act.shape[1])
        return loaded._replace(task=task), images

    @cached_property
    def _loaded(self) -> LoadedData:
        loaded = self._contents[0]
        return loaded._replace(data=loaded.data.relabel(self.reward))

    @cached_property
    def spec(self) -> Spec:
        """Sizes and ranges of the data. Pixels need no statistics."""
        loaded, (h, w, c) = self._loaded, self._contents[1].shape[1:]
        return Spec(
            obs_dim=h * w * c,
            act_dim=loaded.data.act.shape[1],
            obs_mean=(),
            obs_std=(),
            act_low=tuple(loaded.act_low.tolist()),
            act_high=tuple(loaded.act_high.tolist()),
            task=loaded.task,
            image=(h, w, c),
        )

    @cached_property
    def transitions(self) -> Any:
        """The transitions that are trained on, on the training device: a :class:`PixelTable`."""
        steps = self.dataset.to(self._device).transitions(self.gamma, self.n_step)
        return PixelTable(steps, torch.from_numpy(self._contents[1]).to(self._device), self.pad)


def read_pixel_d4rl(
    path: str, env: str | None, clip: bool, horizon: int | None = None
) -> tuple[LoadedData, Images]:
    """Read a file of D4RL's layout with images.

    Args:
        path: The file.
        env: Gymnasium id of the environment, or ``none``; by default that of the file.
        clip: Whether to clip actions to their bounds.
        horizon: Largest number of steps of an episode, if the file has no timeouts.

    Returns:
        Steps whose observations are row numbers of images, and the images.

    Raises:
        InputError: The file is damaged, its observations are not uint8 images, or a field is wrong.
    """
    found = read_file(path)
    raw, breaks = dict(found.fields), None
    refuse_discrete(path, column(raw, "actions"), box=True)
    images = validate_images(path, raw.get("observations"))
    n = len(images)
    raw["observations"] = np.arange(n, dtype=np.float32)[:, None]
    if "next_observations" in raw:
        following = validate_images(path, raw["next_observations"])
        if following.shape != images.shape:
            raise InputError(
                f"{path}: next_observations {following.shape} differ from observations "
                f"{images.shape}"
            )
        breaks = (following[:-1] != images[1:]).any((1, 2, 3))
        images = np.concatenate([images, following])
        raw["next_observations"] = raw["observations"] + n
    fields = validate_fields(path, raw, optional=("next_observations", "timeouts"))
    task = None
    if found.task and env is None:
        task = Task.from_json(found.task)
    elif env != "none" and (env or found.env):
        task = Task(env or found.env)
    refuse_discrete(path, column(raw, "actions"), box=task is not None)
    if "timeouts" not in fields:
        limit, assumed = task.time_limit() if task is not None else (None, False)
        d4rl.add_timeouts(path, fields, raw, breaks, horizon or (None if assumed else limit))
    low, high = d4rl.action_limits(fields["actions"], task, None)
    fields["actions"] = validate_actions(path, fields["actions"], low, high, clip)
    if "next_observations" in fields:
        ends = (fields["terminals"] + fields["timeouts"]) > 0
        return LoadedData(build_dataset(fields, episode_bounds(ends)), low, high, task), images
    return LoadedData(d4rl.derive_next_observations(path, fields), low, high, task), images


def read_pixel_minari(path: str, clip: bool) -> tuple[LoadedData, Images]:
    """Read a Minari data set with images.

    Args:
        path: Id or folder of the data set.
        clip: Whether to clip actions to the action space.

    Returns:
        Steps whose observations are row numbers of images, and the images.

    Raises:
        InputError: The data set does not exist, is damaged, or its observations are not images.
    """
    with minari.one_line_errors(path):
        storage = MinariStorage.read(minari.locate(path))
        meta = storage.metadata
        # Minari's own reader decodes the JPEG images of its HDF5 files.
        stored = storage.get_episodes(range(int(meta["total_episodes"])))
        if isinstance(storage.observation_space, spaces.Dict):
            validate_images(path, storage.observation_space.spaces)
        columns = (tuple(np.asarray(e[part]) for part in minari.PARTS) for e in stored)
        episodes = [episode for episode in columns if len(episode[1])]
    parts = [validate_images(path, episode[0]) for episode in episodes]
    starts = np.cumsum([0, *map(len, parts)])[:-1]
    numbered = [
        (np.arange(start, start + len(part), dtype=np.float32)[:, None], *episode[1:])
        for start, part, episode in zip(starts, parts, episodes, strict=True)
    ]
    fields, bounds = minari.concatenate_episodes(path, numbered)
    if not isinstance(storage.action_space, spaces.Box):
        raise InputError(f"{path}: actions are {storage.action_space}, but must be continuous")
    low, high = minari.space_limits(storage.action_space, fields["actions"])
    fields["actions"] = validate_actions(path, fields["actions"], low, high, clip)
    text = task_text(path, meta.get(TASK_KEY))
    with minari.one_line_errors(path):
        task = Task.from_json(text) if text else tasks(meta).get("task")
    return LoadedData(build_dataset(fields, bounds), low, high, task), np.concatenate(parts)


def validate_images(path: str, array: Any) -> Images:
    """Check that an array holds images, (n, h, w, c), of bytes.

    Raises:
        InputError: It does not.
    """
    if array is None:
        raise InputError(f"{path}: no field 'observations'")
    if isinstance(array, Mapping):
        raise InputError(
            f"{path}: observations are a dictionary of {', '.join(array)}; images are read from a "
            "field alone"
        )
    if array.dtype != np.uint8 or array.ndim != 4 or not len(array):
        raise InputError(
            f"{path}: observations are {array.dtype} {array.shape}; images are uint8 "
            "(n, height, width, channels)"
        )
    return np.ascontiguousarray(array)
