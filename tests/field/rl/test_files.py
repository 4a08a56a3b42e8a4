"""Files as people have them: timeouts, attributes, suffixes, discrete actions, arrays."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from field.rl.situations import steps, write_hdf5, write_npz
from hypothesis import given, settings
from hypothesis import strategies as st

from oneleap.core.errors import InputError, Notice
from oneleap.domains.main import main
from oneleap.domains.rl.data.datamodule import PAGE, OfflineData
from oneleap.domains.rl.data.pixels import PixelData
from oneleap.domains.rl.data.timeouts import derive_timeouts

ROOT = Path(__file__).parents[3]


def without(fields: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in names}


def chained(n: int = 40, length: int = 10) -> dict[str, Any]:
    """Rows that follow each other, also across the ends of episodes, as old files have them."""
    seen = np.arange(n, dtype=np.float32)[:, None] * np.ones(3, np.float32)
    terminal = np.arange(n) % (2 * length) == length - 1
    return without(steps(n), "next_observations") | {"observations": seen, "terminals": terminal}


def bounds(data: OfflineData) -> list[int]:
    found: list[int] = data.dataset.bounds.tolist()
    return found


def test_timeouts_follow_from_next_observations() -> None:
    """As in replay buffers: the fields of Gymnasium's step, and no more."""
    data = OfflineData.from_arrays(without(steps(), "timeouts"))
    with pytest.warns(Notice, match=r"no timeouts: an episode ends where next_obs.*3 timeouts"):
        assert bounds(data) == [0, 10, 20, 30, 40]
    assert data.dataset.timeout.nonzero().flatten().tolist() == [9, 19, 29]


def test_timeouts_follow_from_the_ends_of_episodes() -> None:
    fields = without(steps(), "timeouts", "next_observations")
    fields["episode_terminals"] = np.arange(40) % 20 == 19
    fields["terminals"] = np.arange(40) == 19
    data = OfflineData.from_arrays(fields)
    with pytest.warns(Notice, match=r"episode_terminals tell where episodes end; 1 timeouts"):
        assert bounds(data) == [0, 20, 39]
    assert data.dataset.terminal.nonzero().flatten().tolist() == [19]


def test_timeouts_follow_from_a_largest_number_of_steps() -> None:
    fields = without(chained(), "timeouts")
    data = OfflineData.from_arrays(fields, horizon=8)
    with pytest.warns(Notice, match="an episode ends after 8 steps"):
        ends = data.dataset.bounds.tolist()
    # terminals after 10 and 30 steps; of each timed-out episode, the last step has no successor
    assert data.dataset.obs[:, 0].tolist() == [k for k in range(39) if k not in (7, 17, 25, 37)]
    assert len(ends) - 1 == 7


def test_timeouts_follow_from_the_limit_of_the_environment(tmp_path: Path) -> None:
    fields = without(chained(), "timeouts")
    data = OfflineData(write_hdf5(tmp_path / "a.hdf5", fields, env_id="FieldLimited-v0"))
    with pytest.warns(Notice, match="an episode ends after 7 steps"):
        assert len(data.dataset) < 39
    hopper = chained(2500) | {
        "observations": np.ones((2500, 11), np.float32),
        "actions": np.zeros((2500, 3), np.float32),
        "terminals": np.zeros(2500, bool),
    }
    path = write_hdf5(tmp_path / "hopper-medium.hdf5", without(hopper, "timeouts"))
    for env in (None, "none"):  # D4RL's v0 files
        with pytest.warns(Notice, match="an episode ends after 1000 steps"):
            assert bounds(OfflineData(path, env=env)) == [0, 999, 1998, 2497]


def test_without_any_hint_only_terminals_end_an_episode() -> None:
    data = OfflineData.from_arrays(without(chained(), "timeouts"))
    with pytest.warns(Notice, match="only terminals end an episode; --data.horizon N sets a limit"):
        assert bounds(data) == [0, 10, 30, 39]


def test_timeouts_of_images(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (41, 8, 8, 3), np.uint8)
    fields = steps() | {"observations": images[:-1], "next_observations": images[1:].copy()}
    fields["next_observations"][19] = 0
    path = write_hdf5(tmp_path / "a.hdf5", without(fields, "timeouts"))
    with pytest.warns(Notice, match="next_observations are not the observations that follow"):
        assert bounds(PixelData(path, env="none")) == [0, 20, 40]
    path = write_npz(tmp_path / "a.npz", without(fields, "timeouts", "next_observations"))
    with pytest.warns(Notice, match="an episode ends after 8 steps"):
        assert len(PixelData(path, env="none", horizon=8).dataset) == 35


@settings(deadline=None)
@given(flags=st.lists(st.booleans(), min_size=1, max_size=40), limit=st.integers(1, 9))
def test_counting_steps_is_d4rls_loop(flags: list[bool], limit: int) -> None:
    """The loop of ``qlearning_dataset`` with ``env._max_episode_steps``."""
    expected, step = [], 0
    for terminal in flags:
        final = step == limit - 1
        expected.append(final and not terminal)
        step = 0 if terminal or final else step + 1
    with pytest.warns(Notice):
        found = derive_timeouts("x", np.array(flags), limit=limit)
    assert found.tolist() == expected


@pytest.mark.parametrize("value", [b"Pendulum-v1", np.array(["Pendulum-v1"], "S"), "Pendulum-v1"])
def test_attributes_are_text_or_bytes(tmp_path: Path, value: Any) -> None:
    path = write_hdf5(tmp_path / "a.hdf5", steps(act=1), env_id=value)
    task = OfflineData(path).spec.task
    assert task is not None
    assert task.env == "Pendulum-v1"


@pytest.mark.parametrize("name", ["a.HDF5", "a.hdf", "a.h5", "a.H5", "a", "a.data", "a.v2"])
def test_the_content_tells_the_kind_of_a_file(tmp_path: Path, name: str) -> None:
    for write in (write_hdf5, write_npz):
        data = OfflineData(write(tmp_path / name, steps()), env="none")
        assert data.spec.obs_dim == 3
    images = np.zeros((40, 8, 8, 3), np.uint8)
    fields = without(steps(), "next_observations") | {"observations": images}
    assert PixelData(write_hdf5(tmp_path / name, fields), env="none").spec.image == (8, 8, 3)


def test_the_home_folder_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    write_hdf5(tmp_path / "a.hdf5", steps())
    assert len(OfflineData("~/a.hdf5", env="none").dataset) == 40
    images = without(steps(), "next_observations")
    images["observations"] = np.zeros((40, 8, 8, 3), np.uint8)
    write_hdf5(tmp_path / "b.hdf5", images)
    assert PixelData("~/b.hdf5", env="none").spec.image == (8, 8, 3)


@pytest.mark.parametrize(
    "actions",
    [
        np.arange(40) % 3,
        np.arange(40)[:, None] % 3,
        np.eye(3, dtype=np.int64)[np.arange(40) % 3],
        np.arange(40) % 2 == 0,
        (np.arange(40)[:, None] % 3).astype(np.float32),
        (np.arange(40) % 3).astype(np.float64),
    ],
)
def test_discrete_actions_are_refused_in_one_line(tmp_path: Path, actions: Any) -> None:
    fields = steps() | {"actions": actions}
    images = np.zeros((40, 8, 8, 3), np.uint8)
    for data in (
        OfflineData.from_arrays(fields),
        OfflineData(write_hdf5(tmp_path / "a.hdf5", fields), env="none"),
        PixelData(
            write_npz(
                tmp_path / "a.npz",
                fields | {"observations": images, "next_observations": images},
            ),
            env="none",
        ),
    ):
        with pytest.raises(InputError, match=r"actions: .* choices.*continuous, ") as told:
            data.spec  # noqa: B018
        message = str(told.value)
        assert "\n" not in message
        assert ("store them as floats" in message) == (actions.dtype.kind != "f")
        single = actions.ndim == 1 or actions.shape[1] == 1
        assert ("name their environment: --data.env ID" in message) == single
        assert ("give them the shape (n, 1)" in message) == (actions.ndim == 1)


def test_discrete_actions_of_an_environment_are_refused() -> None:
    with pytest.raises(InputError, match=r"takes discrete actions, Discrete\(2\)"):
        OfflineData.from_arrays(steps(), env="FieldChoices-v0").spec  # noqa: B018


def test_whole_numbers_of_a_known_continuous_environment_are_continuous() -> None:
    fields = steps(act=1) | {"actions": np.float32(np.arange(40)[:, None] % 2)}
    assert OfflineData.from_arrays(fields, env="Pendulum-v1").spec.act_high == (2.0,)
    signs = fields | {"actions": fields["actions"] * 2 - 1}
    assert OfflineData.from_arrays(signs).spec.act_low == (-1.0,)


def test_arrays_are_the_same_as_their_file(tmp_path: Path) -> None:
    fields = steps()
    kept = OfflineData(write_hdf5(tmp_path / "a.hdf5", fields), env="none", n_step=3, gamma=0.9)
    made = OfflineData.from_arrays(fields, n_step=3, gamma=0.9)
    assert made.spec == kept.spec
    for one, other in zip(made.batch(3), kept.batch(3), strict=True):
        if one is None or other is None:  # without chunks, no mask
            assert one is other
        else:
            assert torch.equal(one.nan_to_num(), other.nan_to_num())
    with pytest.raises(InputError, match="arrays: no field 'rewards'"):
        OfflineData.from_arrays(without(fields, "rewards")).spec  # noqa: B018


def test_an_npz_of_pickles_is_not_unpickled(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    np.savez(path, **(steps() | {"observations": np.array([{}], object)}), allow_pickle=True)
    with pytest.raises(InputError, match=r"a\.npz: damaged.*allow_pickle=False"):
        OfflineData(str(path), env="none").spec  # noqa: B018


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x03\x04" + bytes(100), b"text"])
@pytest.mark.parametrize("name", ["a.npz", "a.hdf5"])
def test_damaged_files_are_refused_in_one_line(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="damaged") as told:
        OfflineData(str(tmp_path / name), env="none").spec  # noqa: B018
    assert "\n" not in str(told.value)


def test_every_refusal_names_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (ROOT / PAGE).is_file()
    with h5py.File(tmp_path / "other.hdf5", "w") as file:
        file["data"] = np.zeros(3)
    images = np.zeros((40, 8, 8, 3), np.float32)
    for data in (
        OfflineData("nowhere"),
        OfflineData(str(tmp_path / "nowhere.hdf5")),
        OfflineData(str(tmp_path)),
        OfflineData(str(tmp_path / "other.hdf5")),
        OfflineData(write_hdf5(tmp_path / "a.hdf5", steps())),
        OfflineData.from_arrays(without(steps(), "terminals")),
        PixelData(write_hdf5(tmp_path / "b.hdf5", {"observations": images})),
    ):
        with pytest.raises(InputError) as told:
            data.spec  # noqa: B018
        assert str(told.value).count(PAGE) == 1
    line = ["fit", "--config", "rl/ofql_d4rl", "--data.path", str(tmp_path / "other.hdf5")]
    assert main([*line, "--run", str(tmp_path / "run")]) == 2
    assert PAGE in capsys.readouterr().err
