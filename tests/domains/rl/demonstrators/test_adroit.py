"""Adroit's expert policies: their equation, and faults of their files."""

import io
import urllib.request
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.rl.demonstrators.adroit import read_policy

Array = np.ndarray[Any, Any]


def arrays(obs: int = 3, act: int = 2, width: int = 4) -> dict[str, Array]:
    rng, sizes = np.random.default_rng(0), [obs, width, width, act]
    found = {}
    for k in range(3):
        found[f"weight{k}"] = rng.normal(size=(sizes[k + 1], sizes[k]))
        found[f"bias{k}"] = rng.normal(size=sizes[k + 1])
    return found | {
        "in_shift": rng.normal(size=obs),
        "in_scale": np.array([1.0, 2.0, 0.0])[:obs],
        "out_shift": rng.normal(size=act),
        "out_scale": rng.uniform(0.1, 1, act),
        "log_std": np.array([-3.0, 0.5])[:act],
    }


def write(path: Path, **changed: Any) -> str:
    np.savez(path, **{k: a for k, a in {**arrays(), **changed}.items() if a is not None})
    return str(path)


def test_the_mean_is_that_of_the_formula(tmp_path: Path) -> None:
    policy, a = read_policy(write(tmp_path / "p.npz")), arrays()
    obs = np.array([0.3, -1.0, float(a["in_shift"][2])], np.float32)
    x = np.where(a["in_scale"] > 0, (obs - a["in_shift"]) / np.maximum(a["in_scale"], 1e-8), 0)
    h = np.tanh(a["weight1"] @ np.tanh(a["weight0"] @ x + a["bias0"]) + a["bias1"])
    wanted = (a["weight2"] @ h + a["bias2"]) * a["out_scale"] + a["out_shift"]
    np.testing.assert_allclose(policy.mean(obs)[:2], wanted, atol=5e-3 * abs(wanted).max())
    assert policy.sizes == (3, 2)


def test_actions_scatter_as_log_std_says_and_stay_in_bounds(tmp_path: Path) -> None:
    quiet = {"out_scale": np.zeros(2), "out_shift": np.array([0.2, 0.9])}
    policy = read_policy(write(tmp_path / "p.npz", **quiet))
    rng, obs = np.random.default_rng(0), np.zeros(3, np.float32)
    acted = np.stack([policy.act(obs, rng) for _ in range(4000)])
    assert acted[:, 0].std() == pytest.approx(np.exp(-3), rel=0.05)
    assert acted[:, 0].mean() == pytest.approx(0.2, abs=0.005)
    assert acted.max() == 1
    assert np.mean(acted[:, 1] == 1) > 0.4  # 0.9 with a deviation of 1.6


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"log_std": None}, "no array 'log_std'"),
        ({"weight1": np.zeros((4, 5))}, "do not fit each other"),
        ({"out_scale": np.zeros(3)}, "do not fit each other"),
        ({"bias0": np.array([{}] * 4)}, "not an npz file of plain arrays"),
    ],
)
def test_faults_are_one_line(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told) as error:
        read_policy(write(tmp_path / "p.npz", **changed))
    assert "\n" not in str(error.value)


def test_a_pickle_is_not_loaded(tmp_path: Path) -> None:
    path = tmp_path / "policy.pickle"
    path.write_bytes(b"cos\nsystem\n(S'touch " + str(tmp_path / "ran").encode() + b"'\ntR.")
    with pytest.raises(InputError, match="not an npz file of plain arrays"):
        read_policy(str(path))
    assert not (tmp_path / "ran").exists()
    with pytest.raises(InputError, match="no such file; --policy names"):
        read_policy(str(tmp_path / "missing.npz"))


def test_a_policy_is_downloaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Path(write(tmp_path / "p.npz")).read_bytes()
    monkeypatch.setattr(urllib.request, "urlopen", lambda url, timeout: io.BytesIO(data))
    assert read_policy("https://example.org/p.npz").sizes == (3, 2)

    def broken(url: str, timeout: float) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", broken)
    with pytest.raises(InputError, match="cannot be downloaded: no route to host"):
        read_policy("https://example.org/p.npz")
