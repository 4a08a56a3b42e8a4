"""Images: what is drawn, what is read, what is shifted, and a policy that learns from them."""

import json
from dataclasses import asdict
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

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.objectives import MeanFlow
from oneleap.domains.main import main
from oneleap.domains.rl.commands import collect_pointmaze as collect
from oneleap.domains.rl.data import minari as minari_io
from oneleap.domains.rl.data.pixels import PixelData, PixelOFQL
from oneleap.domains.rl.envs.pointmaze import MAZES, REFERENCE_RETURNS, pointmaze_task
from oneleap.domains.rl.envs.pointmaze_pixels import FRAME_GAP, SIZE, PointMazePixels, render_images
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.nets.vision import ImpalaEncoder, random_shift
from oneleap.domains.rl.spec import Spec

Capture = pytest.CaptureFixture[str]


def images(n: int, size: int = 8, seed: int = 0) -> np.ndarray:
    g = np.random.default_rng(seed)
    return g.integers(0, 256, (n, size, size, 3), dtype=np.uint8)


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


@settings(deadline=None, max_examples=25)
@given(dx=st.floats(-0.3, 0.3), dy=st.floats(-0.3, 0.3), maze=st.sampled_from([*MAZES]))
def test_the_ball_can_be_found_in_the_picture(dx: float, dy: float, maze: str) -> None:
    layout = MAZES[maze]
    now = layout.centers[:3] + np.array([dx, dy])
    picture = render_images(layout, now, layout.centers[:3])
    rows, columns = len(layout.cells), len(layout.cells[0])
    metres = max(rows, columns) / SIZE
    place = (np.arange(SIZE) + 0.5) * metres
    for k in range(3):
        for channel, expected in ((1, now[k]), (2, layout.centers[k])):
            weight = picture[k, :, :, channel].astype(float)
            x = (weight.sum(0) @ place) / weight.sum() - columns / 2
            y = rows / 2 - (weight.sum(1) @ place) / weight.sum()
            np.testing.assert_allclose((x, y), expected, atol=0.25 * metres)
    middle = layout.goal
    column, row = int((middle[0] + columns / 2) / metres), int((rows / 2 - middle[1]) / metres)
    assert picture[0, row, column, 0] == 255
    assert picture[0, 0, 0, 0] == 100  # the wall around


def test_the_environment_shows_where_the_ball_is_and_was() -> None:
    env = PointMazePixels("umaze", horizon=20)
    obs, _ = env.reset(seed=0)
    assert env.observation_space.contains(obs)
    where = [env.inner._state[0, :2].copy()]
    for _ in range(8):
        obs, reward, _, _, info = env.step(np.ones(2, np.float32))
        where.append(env.inner._state[0, :2].copy())
    expected = render_images(env.inner.layout, where[-1][None], where[-1 - FRAME_GAP][None])
    np.testing.assert_array_equal(obs, expected.ravel())
    assert reward == pytest.approx(float(env.inner.layout.reward(where[-1][None], True)[0]))
    assert "success" in info
    env.render_mode = "rgb_array"
    assert env.render().shape == (8 * SIZE, 8 * SIZE, 3)


def test_a_shift_moves_whole_pixels_and_repeats_the_border() -> None:
    x = torch.from_numpy(images(200))
    out = random_shift(x, 2, torch.Generator().manual_seed(0))
    found = set()
    for before, after in zip(x.numpy(), out.numpy(), strict=True):
        padded = np.pad(before, ((2, 2), (2, 2), (0, 0)), mode="edge")
        at = [
            (i, j)
            for i in range(5)
            for j in range(5)
            if np.array_equal(padded[i : i + 8, j : j + 8], after)
        ]
        assert len(at) == 1
        found.add(at[0])
    assert len(found) == 25
    assert torch.equal(random_shift(x, 0, torch.Generator()), x)


def test_the_encoder_is_impalas() -> None:
    net = ImpalaEncoder((64, 64, 3))
    kinds = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
    assert [(m.in_channels, m.out_channels) for m in kinds][:3] == [(3, 16), (16, 32), (32, 32)]
    assert len(kinds) == 9
    assert net.out.in_features == 32 * 8 * 8
    odd = ImpalaEncoder((10, 14, 3))
    assert odd(torch.zeros(2, 420)).shape == (2, 128)


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
def test_observations_that_are_no_images_are_told(
    tmp_path_factory: pytest.TempPathFactory, dtype: Any, shape: tuple[int, ...]
) -> None:
    path = write(tmp_path_factory.mktemp("p") / "a.hdf5", 5, np.zeros(shape, dtype))
    with pytest.raises(InputError, match="images are uint8") as error:
        PixelData(path, env="none").spec  # noqa: B018
    assert "\n" not in str(error.value)


def test_what_pixels_do_not_have_is_told() -> None:
    limits = (-1.0,) * 2, (1.0,) * 2
    spec = Spec(3, 2, (0.0,) * 3, (1.0,) * 3, *limits)
    images = Spec(768, 2, (0.0,) * 768, (1.0,) * 768, *limits, image=(16, 16, 3))
    with pytest.raises(InputError, match="observations are vectors"):
        PixelOFQL(spec, MeanFlow())
    with pytest.raises(InputError, match="frequencies: PixelOFQL has none"):
        PixelOFQL(images, MeanFlow(), frequencies=4)


def test_from_a_maze_to_a_score(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    """The whole way on tiny data: collect, draw, train, evaluate."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(collect, "measure_references", lambda maze: REFERENCE_RETURNS[maze])
    assert main(["collect", "pointmaze", "--steps", "600", "--out", "states"]) == 0
    assert main(["collect", "pixels", "--path", "states", "--steps", "400"]) == 0
    assert "next: oneleap fit --config rl/ofql_pointmaze-pixels" in capsys.readouterr().out
    with h5py.File("pointmaze-umaze-pixels.hdf5") as file:
        task = Task(**json.loads(str(file.attrs["oneleap_task"])))
        assert file["observations"].shape == (400, SIZE, SIZE, 3)
    assert task.env == "oneleap/PointMazePixels-v0"
    assert task.reference == pointmaze_task("umaze", True, REFERENCE_RETURNS["umaze"]).reference
    small = "--model.width 8 --model.compile_loss false --data.batch_size 4 --trainer.max_steps 2"
    line = ["fit", "--config", "rl/ofql_pointmaze-pixels", "--run", "run", *small.split()]
    assert main([*line, "--trainer.callbacks", "null"]) == 0
    policy: Any = load_pretrained("run/model")
    assert asdict(policy.spec.task) == asdict(task)
    env = PointMazePixels(horizon=3)
    obs = env.reset(seed=0)[0]
    assert policy.act(np.stack([obs, obs])).shape == (2, 2)
    started = PixelOFQL(policy.spec, policy.objective, width=8, layer_norm=True)
    moved = [
        name
        for (name, new), old in zip(
            policy.net.named_parameters(), started.net.parameters(), strict=True
        )
        if not torch.equal(new, old)
    ]
    assert any(name.startswith("encoder.convolutions.0") for name in moved)
    assert main(["collect", "pixels", "--path", "states", "--steps", "400"]) == 2
