import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_robot import EYE, KEYS, demonstrations, spec

from oneleap.core.errors import InputError
from oneleap.core.objectives import MeanFlow
from oneleap.core.sampling.samplers import DDIMSampler
from oneleap.domains.main import main
from oneleap.domains.robot.commands import evaluate
from oneleap.domains.robot.envs.robosuite import RobotEnv
from oneleap.domains.robot.envs.task import Spec
from oneleap.domains.robot.evaluation.rollouts import Episodes, History, Rollout, episode_seed, play
from oneleap.domains.robot.models.dm1 import effective_rank
from oneleap.domains.robot.models.nets import MLPHead
from oneleap.domains.robot.models.policy import RobotPolicy


def test_wilsons_interval() -> None:
    """By hand for 5 of 10 at z = 2: centre 1/2, half sqrt(1/40 + 1/100) * 2 / 1.4."""
    low, high = evaluate.wilson(5, 10, z=2.0)
    assert (low + high) / 2 == pytest.approx(0.5)
    assert high - low == pytest.approx(2 * 2 * (1 / 40 + 1 / 100) ** 0.5 / 1.4)
    low, high = evaluate.wilson(200, 200)
    assert low == pytest.approx(1 / (1 + 1.959964**2 / 200))
    assert high == pytest.approx(1.0)
    assert evaluate.wilson(0, 200)[0] == 0


def test_figures() -> None:
    rollouts = [
        Rollout(True, 10, (1.0, 3.0), (2.0, 2.0, 100.0, 2.0)),
        Rollout(False, 30, (2.0,), (2.0,)),
        Rollout(False, 30, (), ()),  # its process died
    ]
    found = evaluate.figures(rollouts)
    assert found["success"] == pytest.approx(1 / 3)
    assert found["length"] == pytest.approx(70 / 3)
    assert found["length_success"] == 10
    assert found["net_ms"] == 2
    assert found["loop_ms"] == 2
    assert found["late"] == pytest.approx(1 / 5)
    assert found["loop_hz"] == pytest.approx(1e3 / (108 / 5))
    assert evaluate.figures(rollouts[2:])["success"] == 0


class Corridor(RobotEnv):
    """Stands for the simulator: each step adds its action; at 5 the task is solved."""

    def __init__(self) -> None:
        self.steps, self.place = 0, 0.0

    def observe(self, pictures: bool = True) -> dict[str, np.ndarray]:
        image = np.full((4, 6, 3), self.steps, np.uint8)
        return {"hand": np.full(3, self.place), "object": np.zeros(2), EYE: image}

    def reset(self, seed: int) -> dict[str, np.ndarray]:
        self.steps, self.place = 0, float(seed)
        return self.observe()

    def step(self, action: np.ndarray, pictures: bool = True) -> tuple[dict[str, np.ndarray], bool]:
        self.steps, self.place = self.steps + 1, self.place + float(action[0])
        return self.observe(), self.place >= 5

    def picture(self, camera: str, size: tuple[int, int]) -> np.ndarray:
        return np.full((*size, 3), self.steps, np.uint8)


def played(step: float, chunk: int, camera: str | None = None) -> tuple[Rollout, list[float]]:
    seen = list[float]()

    def act(obs: np.ndarray, images: np.ndarray | None) -> np.ndarray:
        seen.append(float(obs[0, -1, 0]))
        return np.full((1, chunk, 7), step)

    return play(Corridor(), spec(), act, seed=0, horizon=12, camera=camera), seen


def test_a_chunk_is_executed_before_the_policy_looks_again() -> None:
    rollout, seen = played(1.0, chunk=3)
    assert (rollout.success, rollout.length) == (True, 5)  # in the middle of a chunk
    assert seen == [0.0, 3.0]
    rollout, seen = played(0.1, chunk=4)
    assert (rollout.success, rollout.length) == (False, 12)
    np.testing.assert_allclose(seen, [0.0, 0.4, 0.8])


def test_a_film_has_the_last_picture() -> None:
    rollout, _ = played(1.0, chunk=3, camera="agentview")
    assert rollout.frames is not None
    assert rollout.frames[:, 0, 0, 0].tolist() == [0, 4, 5]


def test_history_is_as_the_policy_was_trained() -> None:
    two: Spec = spec(obs_steps=2, cameras=(EYE,), image_size=(4, 6))
    env = Corridor()
    history = History(two, env.reset(1))
    obs, images = history.arrays()
    assert images is not None
    assert obs[0, :, 0].tolist() == [1, 1]
    history.append(env.step(np.ones(7))[0])
    obs, images = history.arrays()
    assert images is not None
    assert obs[0, :, 0].tolist() == [1, 2]
    assert images.shape == (1, 1, 2, 3, 4, 6)
    assert images[0, 0, :, 0, 0, 0].tolist() == [0, 1]


def test_episodes_have_seeds_of_their_own() -> None:
    seeds = {episode_seed(seed, k) for seed in range(3) for k in range(200)}
    collected = {
        int(np.random.SeedSequence((seed, k)).generate_state(2)[0])
        for seed in range(3)
        for k in range(200)
    }
    assert len(seeds) == 600
    assert not seeds & collected


@pytest.fixture
def run(tmp_path: Path) -> Path:
    RobotPolicy(spec(), MeanFlow(), head=MLPHead(8)).save_pretrained(tmp_path / "model")
    return tmp_path


def pretend(episodes: Episodes, numbers: Any, workers: int) -> Any:
    """Every third episode succeeds."""
    for k in numbers:
        filmed = k in episodes.filmed
        frames = np.zeros((9, 16, 16, 3), np.uint8) if filmed else None
        yield k, Rollout(k % 3 == 0, 10 + k, (0.5,), (1.0,), frames)


def test_the_command_writes_figures_and_pictures(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("imageio")
    monkeypatch.setattr(evaluate, "each", pretend)
    options = ["--rollouts", "9", "--json", str(run / "robot.json")]
    assert main(["evaluate", str(run), *options]) == 0
    found = json.loads((run / "evaluation.json").read_text())
    assert found == json.loads((run / "robot.json").read_text())
    assert found["success"] == pytest.approx(1 / 3)
    assert found["length"] == 14
    assert found["steps"] == 1
    out = capsys.readouterr().out
    assert "33.3 %, 95 % interval 12.1 to 64.6 %" in out
    for name in ("success.mp4", "failure.mp4", "rollouts.png"):
        assert (run / name).stat().st_size > 500
        assert name in out.replace("\n", "")


def test_another_sampler_is_handed_to_the_processes(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    handed = list[Episodes]()

    def spy(episodes: Episodes, numbers: Any, workers: int) -> Any:
        handed.append(episodes)
        return pretend(episodes, numbers, workers)

    monkeypatch.setattr(evaluate, "each", spy)
    ddim = ["--sampler", "oneleap.core.sampling.samplers.DDIMSampler", "--sampler.steps", "5"]
    assert main(["evaluate", str(run), "--rollouts", "2", "--video", "false", *ddim]) == 0
    assert handed[0].sampler == DDIMSampler(steps=5)
    assert handed[0].temperature is None
    assert handed[0].horizon == 20
    assert json.loads((run / "evaluation.json").read_text())["steps"] == 5
    cool = ["--video", "false", "--temperature", "0.5"]
    assert main(["evaluate", str(run), "--rollouts", "2", *cool]) == 0
    assert handed[1].temperature == 0.5


def test_the_rank_of_the_condition_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A state policy's condition is the normalised observations themselves."""
    pytest.importorskip("h5py")
    monkeypatch.setattr(evaluate, "each", pretend)
    policy = RobotPolicy(spec(), MeanFlow(), head=MLPHead(8))
    policy.save_pretrained(tmp_path / "model")
    *_, last = demonstrations(tmp_path / "held.hdf5")
    options = ["--rollouts", "2", "--video", "false", "--held", str(tmp_path / "held.hdf5")]
    assert main(["evaluate", str(tmp_path), *options]) == 0
    rows = np.concatenate([last.obs[key][:-1] for key in KEYS], axis=1)
    wanted = effective_rank(policy.observe(torch.from_numpy(rows).float().unsqueeze(1)))
    found = json.loads((tmp_path / "evaluation.json").read_text())["condition_rank"]
    assert found == pytest.approx(wanted, rel=1e-4)
    assert f"{found:.1f} on" in capsys.readouterr().out


def test_what_cannot_be_drawn_is_told(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_gl(episodes: Episodes, numbers: Any, workers: int) -> Any:
        if episodes.filmed:
            raise InputError("no pictures without OpenGL")
        return pretend(episodes, numbers, workers)

    monkeypatch.setattr(evaluate, "each", no_gl)
    assert main(["evaluate", str(run), "--rollouts", "2"]) == 0
    assert "no video: no pictures without OpenGL" in capsys.readouterr().out


def test_mistakes_are_told_in_a_line(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", str(run), "--rollouts", "0"]) == 2
    assert "rollouts: 0 is not positive" in capsys.readouterr().err
    assert main(["evaluate", str(run), "--temperature", "-1"]) == 2
    assert "temperature: -1.0 is negative" in capsys.readouterr().err
    RobotPolicy(spec(task=None), MeanFlow(), head=MLPHead(8)).save_pretrained(run / "model")
    assert main(["evaluate", str(run)]) == 2
    assert "trained without an environment" in capsys.readouterr().err
