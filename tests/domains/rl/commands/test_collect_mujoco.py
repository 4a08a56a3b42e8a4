"""Collecting with Stable-Baselines3: checkpoints read without running them, both layouts."""

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import gymnasium
import h5py
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.main import main
from oneleap.domains.rl.commands.collect_mujoco import rollout
from oneleap.domains.rl.data import d4rl
from oneleap.domains.rl.data import minari as minari_io
from oneleap.domains.rl.demonstrators.sb3 import load_trusted_actor, read_actor

Capture = pytest.CaptureFixture[str]
ENV = "Hopper-v5"


def tensors(kind: str, obs: int = 11, act: int = 3) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(0)
    names = {
        "sac": ["actor.latent_pi.0", "actor.latent_pi.2", "actor.mu"],
        "td3": ["actor.mu.0", "actor.mu.2", "actor.mu.4"],
        "common": ["mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net"],
    }[kind]
    sizes, found = [obs, 8, 6, act], {}
    for k, name in enumerate(names):
        found[f"{name}.weight"] = torch.randn(sizes[k + 1], sizes[k], generator=g)
        found[f"{name}.bias"] = torch.randn(sizes[k + 1], generator=g)
    if kind == "sac":
        found["actor.log_std.weight"] = torch.zeros(act, 6)
        found["actor.log_std.bias"] = torch.full((act,), -3.0)
        found["critic.qf0.0.weight"] = torch.zeros(2, 2)
    if kind == "common":
        found["log_std"] = torch.full((act,), -20.0)
    return found


def checkpoint(path: Path, kind: str = "sac", weights: Any = None, **settings: Any) -> Path:
    data = {"policy_class": {"__module__": f"stable_baselines3.{kind}.policies"}, **settings}
    stored = io.BytesIO()
    torch.save(tensors(kind) if weights is None else weights, stored)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data", json.dumps(data))
        file.writestr("policy.pth", stored.getvalue())
    return path


@pytest.fixture(scope="module")
def hopper() -> Any:
    return gymnasium.make(ENV)


@pytest.mark.parametrize("kind", ["sac", "td3", "common"])
def test_the_actor_is_the_network_of_the_tensors(tmp_path: Path, kind: str, hopper: Any) -> None:
    act = read_actor(checkpoint(tmp_path / "p.zip", kind), hopper)
    weights = list(tensors(kind).values())
    obs = np.random.default_rng(0).normal(size=11).astype(np.float32)
    squash = torch.tanh if kind == "common" else torch.relu
    h = torch.from_numpy(obs)
    for w, b in ((weights[0], weights[1]), (weights[2], weights[3])):
        h = squash(w @ h + b)
    mean = weights[4] @ h + weights[5]
    drawn = np.array([act(obs) for _ in range(2000)])
    if kind == "sac":  # noise of e^-3 before the tanh
        spread = np.arctanh(drawn.astype(float).clip(-1 + 1e-7, 1 - 1e-7))
        inside = np.abs(mean.numpy()) < 2
        np.testing.assert_allclose(spread.mean(0)[inside], mean[inside], atol=0.01)
        np.testing.assert_allclose(spread.std(0)[inside], np.exp(-3), rtol=0.1)
    else:
        wanted = mean.tanh() if kind == "td3" else mean.clamp(-1, 1)
        np.testing.assert_allclose(drawn[0], wanted, atol=1e-5)
    assert drawn.dtype == np.float32


def test_the_same_as_stable_baselines_itself(tmp_path: Path) -> None:
    sb3 = pytest.importorskip("stable_baselines3")
    env = gymnasium.make("Pendulum-v1")
    for cls in (sb3.SAC, sb3.TD3, sb3.PPO):
        model = cls("MlpPolicy", env, seed=0, device="cpu", policy_kwargs={"net_arch": [16, 8]})
        with torch.no_grad():
            for name, weight in model.policy.named_parameters():
                if "log_std" in name:
                    weight.fill_(-20.0) if "weight" not in name else weight.zero_()
        model.save(tmp_path / "p.zip")
        for actor in (read_actor(tmp_path / "p.zip", env), load_trusted_actor(tmp_path / "p.zip")):
            for k in range(3):
                obs = env.reset(seed=k)[0]
                np.testing.assert_allclose(
                    actor(obs), model.predict(obs, deterministic=True)[0], atol=1e-5
                )


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_nothing_in_a_checkpoint_is_run(tmp_path: Path, hopper: Any) -> None:
    mark, path = tmp_path / "mark", tmp_path / "p.zip"
    hidden = pickle.dumps(Evil(mark)).hex()
    assert read_actor(checkpoint(path, policy_kwargs={":serialized:": hidden}), hopper)
    assert not mark.exists()
    with pytest.raises(InputError, match="no checkpoint of Stable-Baselines3, or damaged"):
        read_actor(checkpoint(path, weights={"actor.mu.0.weight": Evil(mark)}), hopper)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Evil(mark)))
    assert mark.exists()  # it would have been


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "dqn", "weights": {}}, "policy 'dqn' is not understood from tensors alone"),
        ({"policy_kwargs": {"activation_fn": "Tanh"}}, "activation_fn is not understood"),
        ({"use_sde": True}, "use_sde is not understood"),
        ({"weights": {}}, "actor.mu.weight and bias are no layer"),
        ({"weights": tensors("sac", obs=12)}, "maps 12 observations to 3 actions"),
    ],
)
def test_what_is_not_understood_says_why_and_how(
    tmp_path: Path, settings: dict[str, Any], message: str, hopper: Any
) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_actor(checkpoint(tmp_path / "p.zip", **settings), hopper)
    assert "maps" in message or "--trust true, if you know who made it" in str(error.value)
    assert "\n" not in str(error.value)


def test_damaged_files_are_one_line(tmp_path: Path, hopper: Any) -> None:
    path = checkpoint(tmp_path / "p.zip")
    for content in (path.read_bytes()[:200], b"no zip"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="or damaged"):
            read_actor(path, hopper)
    with pytest.raises(InputError, match="no such file"):
        read_actor(tmp_path / "none.zip", hopper)


class Short(gymnasium.Env[Any, Any]):
    """Episodes of four steps."""

    observation_space = Box(-9, 9, (1,), np.float64)
    action_space = Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.k = 0
        return np.zeros(1), {}

    def step(self, action: Any) -> Any:
        self.k += 1
        return np.full(1, float(self.k)), 1.0, self.k == 4, False, {}


def test_the_last_episode_is_cut_where_the_steps_end() -> None:
    found = list(rollout(Short(), lambda obs: obs.astype(np.float32) / 9, 10, seed=0))
    assert [len(e.rewards) for e in found] == [4, 4, 2]
    assert [bool(e.terminations[-1]) for e in found] == [True, True, False]
    assert [bool(e.truncations[-1]) for e in found] == [False, False, True]
    np.testing.assert_allclose(found[2].observations[:, 0], [0, 1, 2])
    np.testing.assert_allclose(found[2].actions[:, 0], [0, 1 / 9], rtol=1e-6)


@pytest.mark.parametrize("seed", [3])
def test_both_layouts_are_the_same_steps_and_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture, seed: int
) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint(tmp_path / "p.zip")
    line = ["collect", "mujoco", "--policy", "p.zip", "--steps", "60", "--seed", str(seed)]
    assert main([*line, "--out", "data"]) == 0
    out = capsys.readouterr().out
    assert "60 steps in" in out
    assert "next: oneleap fit --config rl/ofql_d4rl --data.path hopper-collected.hdf5" in out
    one, two = d4rl.read_d4rl("hopper-collected.hdf5"), minari_io.read_minari("data")
    assert len(one.data) == len(two.data) == 60
    for name in ("obs", "act", "reward", "next_obs", "terminal", "bounds"):
        torch.testing.assert_close(getattr(one.data, name), getattr(two.data, name))
    assert one.task is not None
    assert two.task is not None
    assert (one.task.env, one.task.ref_max) == (two.task.env, two.task.ref_max) == (ENV, 3234.3)
    with h5py.File("hopper-collected.hdf5") as file:
        assert file.attrs["env_id"] == ENV
    first = one.data.act.clone()
    assert main([*line, "--out", "data"]) == 2  # nothing is replaced unasked
    assert "is there already" in capsys.readouterr().err
    assert main([*line, "--out", "data", "--overwrite", "true"]) == 0
    torch.testing.assert_close(d4rl.read_d4rl("hopper-collected.hdf5").data.act, first)


def test_pen_is_played_for_d4rls_100_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    checkpoint(tmp_path / "p.zip", weights=tensors("sac", 45, 24))
    line = ["collect", "mujoco", "--env", "AdroitHandPen-v1", "--policy", "p.zip"]
    assert main([*line, "--steps", "150", "--out", "data"]) == 0
    for found in (d4rl.read_d4rl("pen-collected.hdf5"), minari_io.read_minari("data")):
        assert found.data.bounds.tolist() == [0, 100, 150]
        assert found.task is not None
        assert found.task.env_kwargs["max_episode_steps"] == 100


@pytest.mark.slow
def test_sac_is_trained_to_a_score(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("stable_baselines3")
    monkeypatch.chdir(tmp_path)
    line = ["collect", "mujoco", "--policy", "sac", "--steps", "50", "--out", "data"]
    assert main([*line, "--target", "-50", "--train_steps", "120"]) == 0
    assert Path("hopper-collected.zip").is_file()
    assert main([*line, "--overwrite", "true", "--target", "99", "--train_steps", "10"]) == 2


def test_training_needs_a_scale(capsys: Capture, tmp_path: Path) -> None:
    line = ["collect", "mujoco", "--env", "Pendulum-v1", "--out", str(tmp_path / "d")]
    assert main([*line, "--hdf5", str(tmp_path / "p.hdf5")]) == 2
    assert "D4RL has no references for it" in capsys.readouterr().err
