"""OFQL from images: a policy and critics with encoders, and data whose observations are uint8."""

import json
from functools import cached_property
from typing import Any, NamedTuple

import h5py
import numpy as np
import torch
from jaxtyping import Float, UInt8
from minari.dataset.minari_storage import MinariStorage
from numpy.typing import NDArray
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.data import d4rl
from oneleap.domains.rl.data import minari as minari_io
from oneleap.domains.rl.data import minari_tasks as minari_env
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.transitions import AsStored, Loaded, Reward, Transitions
from oneleap.domains.rl.data.validation import assemble, bounded, checked, episode_bounds
from oneleap.domains.rl.envs.task import Spec, Task
from oneleap.domains.rl.nets.vision import PixelCritic, PixelMLP, random_shift

TASK_KEY = "oneleap_task"
"""Attribute of our own files: the task in JSON."""

Images = NDArray[np.uint8]


class PixelOFQL(OFQL):
    """:class:`OFQL` on images, which come in flat; one IMPALA encoder for the policy and one for Q.

    The encoder runs with every call of a network: a step costs as many encodings as evaluations.
    """

    @staticmethod
    def build(spec: Spec, width: int, depth: int, time_dim: int) -> nn.Module:
        """A network with an encoder.

        Raises:
            InputError: If observations are no images.
        """
        return PixelMLP(spec.act_dim, _image(spec), width, depth, time_dim)

    def build_critic(self) -> Any:
        """Critics with an encoder.

        Raises:
            InputError: If observations are no images, or ``frequencies`` are asked of them.
        """
        if self.frequencies:
            raise InputError("frequencies: PixelOFQL has none, its observations are images")
        sizes = self.spec.act_dim, self.width, self.depth
        return PixelCritic(_image(self.spec), *sizes, self.layer_norm)

    def observe(self, obs: Float[Tensor, "b p"]) -> Float[Tensor, "b p"]:
        """Pixels from 0 to 255 on [-1, 1]."""
        return obs / 127.5 - 1


def _image(spec: Spec) -> tuple[int, int, int]:
    """The size of an observation."""
    if spec.image is None:
        raise InputError("PixelOFQL: observations are vectors; OFQL takes those, PixelData images")
    return spec.image


class PixelTable(NamedTuple):
    """Steps whose observations are row numbers of images; stands for :class:`Transitions`.

    Attributes:
        steps: The steps, (n, 1) observations.
        images: All images, once each.
        pad: Pixels by which a batch is shifted.
    """

    steps: Transitions
    images: UInt8[Tensor, "m h w c"]
    pad: int

    @property
    def obs(self) -> Tensor:
        """Row numbers, on the training device."""
        return self.steps.obs

    def sample(self, n: int, generator: torch.Generator) -> Transitions:
        """Draw ``n`` steps; the two images of a step are shifted each on its own."""
        drawn = self.steps.sample(n, generator)
        obs, next_obs = (self._shifted(rows, generator) for rows in (drawn.obs, drawn.next_obs))
        return drawn._replace(obs=obs, next_obs=next_obs)

    def _shifted(self, rows: Tensor, generator: torch.Generator) -> Tensor:
        images = self.images[rows[:, 0].long()]
        return random_shift(images, self.pad, generator).flatten(1).float()


class PixelData(OfflineData):
    """Transitions between images, each kept once, as uint8, on the training device.

    Args:
        path: HDF5 file of D4RL's layout whose observations are uint8 (n, height, width, channels),
            or a Minari data set whose observation space is such an image; Minari's own HDF5 files
            keep images as JPEG, with its losses, and of at least 32 pixels a side.
        env: Gymnasium id of an environment that observes the same images, flat; ``none`` trains
            without evaluation. By default what the data tell.
        reward: What the steps are rewarded with.
        gamma: Discount of future rewards.
        n_step: Steps of reward before the value takes over.
        batch_size: Steps per batch.
        pad: Pixels of random shift; 0 for none.
        clip_actions: Clip actions that leave the bounds, else refuse them.
        seed: Of the draws.
    """

    def __init__(
        self,
        path: str,
        *,
        env: str | None = None,
        reward: Reward = AsStored(),  # noqa: B008  (frozen)
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
    def _read(self) -> tuple[Loaded, Images]:
        if self.path.endswith((".hdf5", ".h5")):
            return read_hdf5(self.path, self.env, self.clip_actions)
        loaded, images = read_minari(self.path, self.clip_actions)
        if self.env is not None:
            loaded = loaded._replace(task=None if self.env == "none" else Task(self.env))
        return loaded, images

    @cached_property
    def _loaded(self) -> Loaded:
        loaded = self._read[0]
        return loaded._replace(data=loaded.data.relabel(self.reward))

    @cached_property
    def spec(self) -> Spec:
        """Sizes and ranges; pixels need no statistics."""
        loaded, (h, w, c) = self._loaded, self._read[1].shape[1:]
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
        """What is trained on, on the training device: a :class:`PixelTable`."""
        steps = self.dataset.to(self._device).transitions(self.gamma, self.n_step)
        return PixelTable(steps, torch.from_numpy(self._read[1]).to(self._device), self.pad)


def read_hdf5(path: str, env: str | None, clip: bool) -> tuple[Loaded, Images]:
    """Steps whose observations are row numbers, and the images.

    Raises:
        InputError: The file is damaged, its observations are no uint8 images, or a field is wrong.
    """
    raw, stored = d4rl.opened(path)
    images = checked_images(path, raw.get("observations"))
    n = len(images)
    raw["observations"] = np.arange(n, dtype=np.float32)[:, None]
    if "next_observations" in raw:
        follow = checked_images(path, raw["next_observations"])
        if follow.shape != images.shape:
            raise InputError(
                f"{path}: next_observations {follow.shape}, observations {images.shape}"
            )
        images = np.concatenate([images, follow])
        raw["next_observations"] = raw["observations"] + n
    found = checked(path, raw, optional=("next_observations",))
    with h5py.File(path) as file:
        text = file.attrs.get(TASK_KEY)
    task = None
    if text is not None and env is None:
        task = Task(**json.loads(str(text)))
    elif env != "none" and (env or stored):
        task = Task(env or stored)
    low, high = d4rl.limits(found["actions"], task, None)
    found["actions"] = bounded(path, found["actions"], low, high, clip)
    if "next_observations" in found:
        ends = (found["terminals"] + found["timeouts"]) > 0
        return Loaded(assemble(found, episode_bounds(ends)), low, high, task), images
    return Loaded(d4rl.derived(path, found), low, high, task), images


def read_minari(path: str, clip: bool) -> tuple[Loaded, Images]:
    """The same, of a Minari data set.

    Raises:
        InputError: There is no such data set, it is damaged, or its observations are no images.
    """
    with minari_io.blamed(path):
        storage = MinariStorage.read(minari_io.find(path))
        meta = storage.metadata
        # Minari keeps images as JPEG in its HDF5 files, which its own reader decodes.
        read = storage.get_episodes(range(int(meta["total_episodes"])))
        columns = (tuple(np.asarray(e[part]) for part in minari_io.PARTS) for e in read)
        episodes = [episode for episode in columns if len(episode[1])]
    parts = [checked_images(path, episode[0]) for episode in episodes]
    starts = np.cumsum([0, *map(len, parts)])[:-1]
    numbered = [
        (np.arange(start, start + len(part), dtype=np.float32)[:, None], *episode[1:])
        for start, part, episode in zip(starts, parts, episodes, strict=True)
    ]
    found, bounds = minari_io.joined(path, numbered)
    low, high = minari_io.limits(storage.action_space, found["actions"])
    found["actions"] = bounded(path, found["actions"], low, high, clip)
    text = meta.get(TASK_KEY)
    task = Task(**json.loads(text)) if text else minari_env.tasks(meta).get("task")
    return Loaded(assemble(found, bounds), low, high, task), np.concatenate(parts)


def checked_images(path: str, array: NDArray[Any] | None) -> Images:
    """Images (n, h, w, c) of bytes.

    Raises:
        InputError: They are something else.
    """
    if array is None:
        raise InputError(f"{path}: no field 'observations'")
    if array.dtype != np.uint8 or array.ndim != 4 or not len(array):
        raise InputError(
            f"{path}: observations are {array.dtype} {array.shape}; images are uint8 "
            "(n, height, width, channels)"
        )
    return np.ascontiguousarray(array)
