"""Image data: what is read, and how batches are made."""

from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from hypothesis import given, settings
from hypothesis import strategies as st
from minari.data_collector import EpisodeBuffer
from support.tiny_rl import images

from oneleap.core.errors import InputError
from oneleap.domains.rl.data import minari as minari_io
from oneleap.domains.rl.data.pixels import PixelData

Capture = pytest.CaptureFixture[str]


def write(path: Path, n: int = 30, seen: Any = None, **fields: Any) -> str:
    g = np.random.default_rng(1)
    with h5py.File(path, "w") as file:
        file["observations"] = images(n) if seen is None else seen
        file["actions"] = g.uniform(-1, 1, (n, 2)).astype(np.float32)
        file["rewards"] = g.normal(size=n).astype(np.float32)
        file["terminals"] = np.arange(n) % 10 == 9
        file["timeouts"] = np.zeros(n, bool)
        for name, value in fields.items():
            file[name] = value
    return str(path)


def test_steps_keep_their_images_together(tmp_path: Path) -> None:
    data = PixelData(write(tmp_path / "a.hdf5"), env="none", pad=0, n_step=1)
    batch = data.transitions.sample(64, torch.Generator().manual_seed(0))
    seen = torch.from_numpy(images(30)).flatten(1).float()
    for obs, follow, reward in zip(batch.obs, batch.next_obs, batch.reward, strict=True):
        (k,) = (seen == obs).all(1).nonzero()[:, 0].tolist()
        assert torch.equal(follow, seen[k + 1])
        assert reward == data.dataset.reward[data.dataset.obs[:, 0] == k]
    assert data.spec.image == (8, 8, 3)
    assert data.spec.obs_dim == 192
    assert data.transitions.images.dtype == torch.uint8


def test_stored_next_images_are_used(tmp_path: Path) -> None:
    path = write(tmp_path / "a.hdf5", next_observations=images(30, seed=5))
    data = PixelData(path, env="none", pad=0)
    assert len(data.dataset) == 30
    batch = data.transitions.sample(8, torch.Generator().manual_seed(0))
    follow = torch.from_numpy(images(30, seed=5)).flatten(1).float()
    assert all((follow == row).all(1).any() for row in batch.next_obs)


def test_minari_images_are_the_same_steps(tmp_path: Path) -> None:
    level = np.arange(11, dtype=np.uint8)[:, None, None, None] * 20
    seen = np.broadcast_to(level, (11, 32, 32, 3)).copy()  # Minari's JPEG keeps these nearly
    episodes = [
        EpisodeBuffer(
            id=k,
            observations=seen[start:stop],
            actions=np.zeros((stop - start - 1, 2), np.float32),
            rewards=np.arange(start, stop - 1, dtype=float),
            terminations=np.arange(stop - start - 1) == stop - start - 2,
            truncations=np.zeros(stop - start - 1, bool),
        )
        for k, (start, stop) in enumerate([(0, 6), (6, 11)])
    ]

    class Env(gymnasium.Env[Any, Any]):
        observation_space = Box(0, 255, (32, 32, 3), np.uint8)
        action_space = Box(-1, 1, (2,), np.float32)

    minari_io.write_minari(tmp_path / "d", "oneleap/it-v0", episodes, Env(), {})
    data = PixelData(str(tmp_path / "d"), env="none", pad=0)
    assert data.dataset.reward.tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    assert data.dataset.next_obs[:, 0].tolist() == [1, 2, 3, 4, 5, 7, 8, 9, 10]
    np.testing.assert_allclose(data.transitions.images.int(), seen.astype(int), atol=3)


@settings(deadline=None, max_examples=20)
@given(
    dtype=st.sampled_from([np.float32, np.int64, bool, np.uint16]),
    shape=st.sampled_from([(5, 8, 8, 3), (5, 8, 8), (5, 192)]),
)
def test_observations_that_are_no_images_are_reported(
    tmp_path_factory: pytest.TempPathFactory, dtype: Any, shape: tuple[int, ...]
) -> None:
    path = write(tmp_path_factory.mktemp("p") / "a.hdf5", 5, np.zeros(shape, dtype))
    with pytest.raises(InputError, match="images are uint8") as error:
        PixelData(path, env="none").spec  # noqa: B018
    assert "\n" not in str(error.value)
