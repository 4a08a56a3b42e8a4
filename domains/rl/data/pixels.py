"""Offline data whose observations are images: readers, and a data module that keeps bytes."""

import json
from functools import cached_property
from typing import Any, NamedTuple

import h5py
import numpy as np
import torch
from jaxtyping import UInt8
from minari.dataset.minari_storage import MinariStorage
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.rl.data import d4rl, minari
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.minari_tasks import tasks
from oneleap.domains.rl.data.rewards import Reward, StoredReward
from oneleap.domains.rl.data.transitions import LoadedData, Transitions
from oneleap.domains.rl.data.validation import (
    build_dataset,
    episode_bounds,
    validate_actions,
    validate_fields,
)
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.nets.vision import random_shift
from oneleap.domains.rl.spec import Spec

TASK_KEY = "oneleap_task"
"""Attribute of our own files that holds the task in JSON."""

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
            seed=seed,
        )
        if pad < 0:
            raise InputError(f"pad: {pad} is negative")
        self.pad = pad

    @cached_property
    def _contents(self) -> tuple[LoadedData, Images]:
        if self.path.endswith((".hdf5", ".h5")):
            return read_pixel_d4rl(self.path, self.env, self.clip_actions)
        loaded, images = read_pixel_minari(self.path, self.clip_actions)
        if self.env is not None:
            loaded = loaded._replace(task=None if self.env == "none" else Task(self.env))
        return loaded, images

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


def read_pixel_d4rl(path: str, env: str | None, clip: bool) -> tuple[LoadedData, Images]:
    """Read a file of D4RL's layout with images.

    Args:
        path: The file.
        env: Gymnasium id of the environment, or ``none``; by default that of the file.
        clip: Whether to clip actions to their bounds.

    Returns:
        Steps whose observations are row numbers of images, and the images.

    Raises:
        InputError: The file is damaged, its observations are not uint8 images, or a field is wrong.
    """
    raw, stored = d4rl.read_fields(path)
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
        images = np.concatenate([images, following])
        raw["next_observations"] = raw["observations"] + n
    fields = validate_fields(path, raw, optional=("next_observations",))
    with h5py.File(path) as file:
        text = file.attrs.get(TASK_KEY)
    task = None
    if text is not None and env is None:
        task = Task(**json.loads(str(text)))
    elif env != "none" and (env or stored):
        task = Task(env or stored)
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
        columns = (tuple(np.asarray(e[part]) for part in minari.PARTS) for e in stored)
        episodes = [episode for episode in columns if len(episode[1])]
    parts = [validate_images(path, episode[0]) for episode in episodes]
    starts = np.cumsum([0, *map(len, parts)])[:-1]
    numbered = [
        (np.arange(start, start + len(part), dtype=np.float32)[:, None], *episode[1:])
        for start, part, episode in zip(starts, parts, episodes, strict=True)
    ]
    fields, bounds = minari.concatenate_episodes(path, numbered)
    low, high = minari.space_limits(storage.action_space, fields["actions"])
    fields["actions"] = validate_actions(path, fields["actions"], low, high, clip)
    text = meta.get(TASK_KEY)
    task = Task(**json.loads(text)) if text else tasks(meta).get("task")
    return LoadedData(build_dataset(fields, bounds), low, high, task), np.concatenate(parts)


def validate_images(path: str, array: NDArray[Any] | None) -> Images:
    """Check that an array holds images, (n, h, w, c), of bytes.

    Raises:
        InputError: It does not.
    """
    if array is None:
        raise InputError(f"{path}: no field 'observations'")
    if array.dtype != np.uint8 or array.ndim != 4 or not len(array):
        raise InputError(
            f"{path}: observations are {array.dtype} {array.shape}; images are uint8 "
            "(n, height, width, channels)"
        )
    return np.ascontiguousarray(array)
