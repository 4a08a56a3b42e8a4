"""Checkpoints of Stable-Baselines3 are read without running them."""

import pickle
from pathlib import Path
from typing import Any

import gymnasium
import numpy as np
import pytest
import torch
from support.tiny_rl_env import checkpoint, tensors

from oneleap.core.errors import InputError
from oneleap.domains.rl.demonstrators.sb3 import load_trusted_actor, read_actor

ENV = "Hopper-v5"


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
    with pytest.raises(InputError, match="not a checkpoint of Stable-Baselines3, or damaged"):
        read_actor(checkpoint(path, weights={"actor.mu.0.weight": Evil(mark)}), hopper)
    assert not mark.exists()
    pickle.loads(pickle.dumps(Evil(mark)))
    assert mark.exists()  # it would have been


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "dqn", "weights": {}}, "cannot read policy 'dqn' from tensors alone"),
        ({"policy_kwargs": {"activation_fn": "Tanh"}}, "cannot read activation_fn"),
        ({"use_sde": True}, "cannot read use_sde"),
        ({"weights": {}}, "actor.mu.weight and bias do not form a layer"),
        ({"weights": tensors("sac", obs=12)}, "maps 12 observations to 3 actions"),
    ],
)
def test_what_is_not_understood_says_why_and_how(
    tmp_path: Path, settings: dict[str, Any], message: str, hopper: Any
) -> None:
    with pytest.raises(InputError, match=message) as error:
        read_actor(checkpoint(tmp_path / "p.zip", **settings), hopper)
    assert "maps" in message or "--trust lets Stable-Baselines3 load it" in str(error.value)
    assert "\n" not in str(error.value)


def test_damaged_files_are_one_line(tmp_path: Path, hopper: Any) -> None:
    path = checkpoint(tmp_path / "p.zip")
    for content in (path.read_bytes()[:200], b"no zip"):
        path.write_bytes(content)
        with pytest.raises(InputError, match="or damaged"):
            read_actor(path, hopper)
    with pytest.raises(InputError, match="no such file"):
        read_actor(tmp_path / "none.zip", hopper)
