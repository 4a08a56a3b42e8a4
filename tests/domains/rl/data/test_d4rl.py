"""D4RL's files: next observations, episode ends, environments, and faults."""

import dataclasses
import itertools
import json

import gymnasium
import h5py
import numpy as np
import pytest
from gymnasium.envs import registration
from hypothesis import given, settings
from hypothesis import strategies as st

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.d4rl import FAMILIES, derive_next_observations, family_of, read_d4rl
from oneleap.domains.rl.data.validation import validate_fields
from oneleap.domains.rl.envs.task import Task

OBS = 11  # Hopper's


def columns(n=10, obs=OBS, act=3, ends=(4,), timeouts=()):
    rng = np.random.default_rng(0)
    flags = {"terminals": ends, "timeouts": timeouts}
    return {
        "observations": rng.normal(size=(n, obs)).astype(np.float32),
        "actions": rng.uniform(-1, 1, (n, act)).astype(np.float32),
        "rewards": rng.normal(size=n).astype(np.float32),
        **{name: np.isin(np.arange(n), rows) for name, rows in flags.items()},
    }


def write(path, raw, **attrs):
    with h5py.File(path, "w") as file:
        for name, array in raw.items():
            file[name] = array
        file.attrs.update(attrs)
    return str(path)


def test_stored_next_observations_are_kept_and_so_is_every_row(tmp_path):
    raw = columns(timeouts=(7,))
    raw["next_observations"] = raw["observations"] + 1
    loaded = read_d4rl(write(tmp_path / "hopper-mine.hdf5", raw))
    assert len(loaded.data) == 10
    np.testing.assert_array_equal(loaded.data.next_obs, raw["next_observations"])
    assert loaded.data.terminal.nonzero().flatten().tolist() == [4]
    assert loaded.data.timeout.nonzero().flatten().tolist() == [7]
    assert loaded.data.bounds.tolist() == [0, 5, 8, 10]


@settings(deadline=None)
@given(flags=st.lists(st.sampled_from("-tT"), min_size=2, max_size=25))
def test_derived_next_observations_follow_d4rls_rule(flags):
    """Row by row: the last row and timed-out rows go, all others get the row that follows."""
    n = len(flags)
    terminal, timeout = (np.array([f == letter for f in flags]) for letter in "tT")
    raw = columns(n) | {"terminals": terminal, "timeouts": timeout}
    kept = [i for i in range(n - 1) if not timeout[i]]
    found = validate_fields("x", raw, optional=("next_observations",))
    if not kept:
        with pytest.raises(InputError, match="no step has a successor"):
            derive_next_observations("x", found)
        return
    data = derive_next_observations("x", found)
    np.testing.assert_array_equal(data.obs, raw["observations"][kept])
    np.testing.assert_array_equal(data.next_obs, raw["observations"][[i + 1 for i in kept]])
    np.testing.assert_array_equal(data.reward, raw["rewards"][kept])
    np.testing.assert_array_equal(data.terminal, terminal[kept])
    ends = np.flatnonzero(terminal | timeout)
    episode = [int((ends < i).sum()) for i in kept]
    changes = [k for k in range(1, len(kept)) if episode[k] != episode[k - 1]]
    assert data.bounds.tolist() == [0, *changes, len(kept)]
    cut = [bool(timeout[i + 1] and not terminal[i]) for i in kept]
    np.testing.assert_array_equal(data.timeout, cut)


def test_bounds_and_references_are_d4rls(tmp_path):
    loaded = read_d4rl(write(tmp_path / "a.hdf5", columns(), env_id="Hopper-v5"))
    assert loaded.act_low.tolist() == [-1, -1, -1]
    assert loaded.task.env == "Hopper-v5"
    assert loaded.task.score(np.array([-20.272305, 3234.3])).tolist() == [0, 100]


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("hopper_medium-v2", "hopper"),
        ("hopper-medium-expert", "hopper"),
        ("halfcheetah-random-v2", "halfcheetah"),
        ("Walker2d-v5", "walker2d"),
        ("ant_medium_expert-v2", "ant"),
        ("Ant_maze_u-maze_noisy_multistart_False_multigoal_False_sparse_fixed", "antmaze"),
        ("AntMaze_UMaze-v5", "antmaze"),
        ("pen-v0_demos_clipped", "pen"),
        ("AdroitHandDoor-v1", "door"),
        ("door-demos-v0-bc-combined", "door"),
        ("mini_kitchen_microwave_kettle_light_slider-v0", "kitchen"),
        ("FrankaKitchen-v1", "kitchen"),
        ("maze2d-umaze-sparse-v1", "maze2d-umaze"),
        ("maze2d-large-v1", "maze2d-large"),
        ("maze2d-large-dense-v1", "maze2d-large-dense"),
        ("open-data", ""),
        ("mine", ""),
    ],
)
def test_families_are_reported_by_their_names(name, family):
    assert family_of(name) == family


def test_reference_scores_are_those_of_d4rl():
    assert FAMILIES["walker2d"][:2] == (1.629008, 4592.3)
    assert FAMILIES["relocate"][:2] == (-6.425911, 4233.877797728884)
    assert FAMILIES["maze2d-medium"][:2] == (13.13, 277.39)
    assert FAMILIES["maze2d-umaze-dense"][:2] == pytest.approx((68.54, 193.66), abs=0.005)


def test_ants_have_the_contact_forces_of_d4rls_simulator_which_are_zero(tmp_path):
    raw = columns(obs=111, act=8)
    task = read_d4rl(write(tmp_path / "ant-medium-v2.hdf5", raw)).task
    env = Task.from_json(json.dumps(dataclasses.asdict(task))).make()
    env.reset(seed=0)
    for _ in range(30):  # it lands on its feet
        obs = env.step(np.zeros(8, np.float32))[0]
    assert (obs[27:] == 0).all()
    with pytest.raises(InputError, match=r"Ant-v4 has observations \(27,\)"):
        read_d4rl(write(tmp_path / "mine.hdf5", raw), "Ant-v4")
    small = write(tmp_path / "ant-mine.hdf5", columns(obs=27, act=8), env_id="Ant-v4")
    assert read_d4rl(small).task.env_kwargs == {}


@pytest.mark.parametrize(
    ("file", "attrs", "env", "expected", "scored"),
    [
        ("hopper-medium.hdf5", {}, None, "Hopper-v4", True),
        ("x.hdf5", {"env_id": "hopper-medium-v2"}, None, "Hopper-v4", True),
        ("x.hdf5", {"env_id": "Hopper-v5"}, None, "Hopper-v5", True),
        ("x.hdf5", {"env_id": "Hopper-v4"}, None, "Hopper-v4", True),
        ("hopper-medium.hdf5", {}, "Hopper-v5", "Hopper-v5", True),
        ("x.hdf5", {"env_id": "OtherHopper-v0"}, None, "OtherHopper-v0", False),
        ("x.hdf5", {"env_id": b"Hopper-v4"}, None, "Hopper-v4", True),
        ("x.hdf5", {"env_id": np.array([b"Hopper-v5"])}, None, "Hopper-v5", True),
    ],
)
def test_the_environment_is_requested_or_stored_or_named(
    tmp_path, monkeypatch, file, attrs, env, expected, scored
):
    hopper = dataclasses.replace(gymnasium.spec("Hopper-v5"), id="OtherHopper-v0")
    monkeypatch.setitem(registration.registry, hopper.id, hopper)
    task = read_d4rl(write(tmp_path / file, columns(), **attrs), env).task
    assert task.env == expected
    assert (task.reference != "none") == scored


def test_an_environment_outside_the_table_gives_the_bounds(tmp_path):
    raw = columns(obs=3, act=1) | {"actions": np.linspace(-2, 2, 10, dtype=np.float32)[:, None]}
    loaded = read_d4rl(write(tmp_path / "mine.hdf5", raw), "Pendulum-v1")
    assert loaded.act_high.tolist() == [2]
    assert loaded.task.env == "Pendulum-v1"
    loaded = read_d4rl(write(tmp_path / "mine.hdf5", raw), "none")
    assert loaded.act_high.tolist() == [2]
    assert loaded.task is None


@pytest.mark.parametrize("name", ["mine.hdf5", "antmaze-umaze-v2.hdf5"])
def test_an_unknown_environment_asks_for_the_setting(tmp_path, name):
    with pytest.raises(InputError, match=r"--data.env Hopper-v5; --data.env none trains"):
        read_d4rl(write(tmp_path / name, columns()))


def test_an_environment_of_other_size_or_name_is_reported(tmp_path):
    with pytest.raises(
        InputError, match="observations have 27 dimensions, those of Ant-v4 have 111"
    ):
        read_d4rl(write(tmp_path / "ant-medium.hdf5", columns(obs=27)))


@pytest.mark.parametrize(
    ("name", "obs", "act", "env", "what"),
    [
        (
            "mine",
            11,
            3,
            "Nowhere-v0",
            "Nowhere-v0: not registered; --import PACKAGE imports",
        ),
        (
            "hopper-medium",
            11,
            3,
            "Hoper-v5",
            "Hoper-v5: not registered; Hopper-v5 or Hopper-v4 w",
        ),
        (
            "hopper-medium",
            11,
            3,
            "Hopper-v9",
            "Hopper-v9: not registered; Hopper-v5 or Hopper-v4 w",
        ),
        ("hopper-medium", 11, 3, "Pendulum-v1", r"Pendulum-v1 has observations \(3,\)"),
        (
            "hopper-medium",
            11,
            3,
            "Walker2d-v4",
            "observations have 11 dimensions, those of Walker2d-v4 have 17",
        ),
        ("relocate-human", 39, 30, "AdroitHandDoor-v1", r"and actions \(28,\), the data .*\(30,\)"),
    ],
)
def test_a_requested_environment_that_does_not_fit_is_refused_at_once(
    tmp_path, name, obs, act, env, what
):
    path = write(tmp_path / f"{name}.hdf5", columns(obs=obs, act=act))
    with pytest.raises(InputError, match=what) as error:
        read_d4rl(path, env)
    told = str(error.value)
    assert told.startswith(f"{path}: ")
    assert "env" in told.removeprefix(path)
    assert "--data.env none trains without evaluation" in told
    assert "\n" not in told


def test_a_requested_environment_has_references_of_its_own(tmp_path):
    path = write(tmp_path / "hopper-medium.hdf5", columns(obs=3, act=1))
    task = read_d4rl(path, "Pendulum-v1").task
    assert (task.env, task.reference, task.ref_min, task.ref_max) == ("Pendulum-v1", "none", 0, 1)
    path = write(tmp_path / "halfcheetah-medium.hdf5", columns(obs=17, act=6))
    assert read_d4rl(path, "Walker2d-v5").task.reference == "D4RL walker2d"


@pytest.mark.parametrize("env", [None, "AdroitHandPen-v1"])
def test_pen_is_played_for_d4rls_100_steps(tmp_path, env):
    task = read_d4rl(write(tmp_path / "pen-human.hdf5", columns(obs=45, act=24)), env).task
    assert task.reference == "D4RL pen"
    world = task.make()
    assert world.spec.max_episode_steps == 100
    world.close()


def test_actions_out_of_bounds_are_refused_or_clipped(tmp_path):
    raw = columns()
    raw["actions"][3, 1] = -1.3
    path = write(tmp_path / "hopper.hdf5", raw)
    with pytest.raises(InputError, match=r"-1.3 in row 3, column 1 .* --data.clip_actions true"):
        read_d4rl(path)
    assert read_d4rl(path, clip=True).data.act[3, 1] == -1


def test_files_that_are_none_are_reported_in_one_line(tmp_path):
    path = write(tmp_path / "hopper.hdf5", columns(2000))
    whole = (tmp_path / "hopper.hdf5").read_bytes()
    for name, content in (("cut.hdf5", whole[: len(whole) // 2]), ("text.hdf5", b"text" * 100)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InputError, match=f"{name}: damaged, or not an HDF5 file") as error:
            read_d4rl(str(tmp_path / name))
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match=r"no such file; --data.path FILE names"):
        read_d4rl(path + "x")
    with pytest.raises(InputError, match="has none of D4RL's fields, but data"):
        read_d4rl(write(tmp_path / "other.hdf5", {"data": np.zeros(3)}))
    with pytest.raises(InputError, match="give the folder"):
        read_d4rl(write(tmp_path / "main_data.hdf5", {"episode_0/actions": np.zeros(3)}))
    with h5py.File(tmp_path / "group.hdf5", "w") as file:
        file.create_group("observations/inner")
    with pytest.raises(InputError, match="observations"):
        read_d4rl(str(tmp_path / "group.hdf5"))


@pytest.mark.parametrize(
    "task", ["3", "[1]", "", "null", "{", "{}", '{"env": 3}', '{"env": "x", "hue": 1}', 3, [1.5]]
)
@pytest.mark.parametrize("env", [None, "none"])
def test_a_stored_task_that_is_none_is_refused(tmp_path, task, env):
    path = write(tmp_path / "hopper-mine.hdf5", columns(), oneleap_task=task)
    with pytest.raises(InputError, match=r"hopper-mine\.hdf5: oneleap_task: not a task in JSON: "):
        read_d4rl(path, env)
    np.savez(tmp_path / "hopper-mine.npz", **columns(), oneleap_task=task)
    with pytest.raises(InputError, match=r"npz: oneleap_task: .*: delete it from the file$"):
        read_d4rl(str(tmp_path / "hopper-mine.npz"), env)


def test_a_missing_field_is_named(tmp_path):
    raw = columns()
    del raw["terminals"]
    with pytest.raises(InputError, match=r"hopper.hdf5: no field 'terminals'"):
        read_d4rl(write(tmp_path / "hopper.hdf5", raw))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A sound file, its bytes, and a place for a damaged one."""
    folder = tmp_path_factory.mktemp("damage")
    path = write(folder / "hopper.hdf5", columns(n=40, ends=(9, 19, 29), timeouts=(39,)))
    return path, (folder / "hopper.hdf5").read_bytes(), folder / "hopper-damaged.hdf5"


def refused_in_a_line(path):
    with pytest.raises(InputError) as error:
        read_d4rl(str(path))
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_file_cut_anywhere_is_refused_in_one_line(whole, data):
    _, content, path = whole
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    refused_in_a_line(path)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_file_with_a_wrong_number_anywhere_is_refused_in_one_line(whole, data):
    """NaN, infinity, or an action out of bounds: the file's name, the field and the row."""
    _, _, path = whole
    raw = columns(n=40, ends=(9, 19, 29), timeouts=(39,))
    name = data.draw(st.sampled_from(["observations", "actions", "rewards"]))
    bad = [np.nan, np.inf, -np.inf] + ([1.5, -30.0] if name == "actions" else [])
    row = data.draw(st.integers(0, 39))
    raw[name][row] = data.draw(st.sampled_from(bad))
    with pytest.raises(InputError, match=rf"{name}: .* in row {row}[;,]") as error:
        read_d4rl(write(path, raw))
    assert "\n" not in str(error.value)


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_a_file_with_a_wrong_byte_is_read_or_refused_in_one_line(whole, data):
    _, content, path = whole
    damaged = bytearray(content)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(damaged)
    found = ""
    try:
        read_d4rl(str(path))
    except InputError as error:  # and no other
        found = str(error)
    assert "\n" not in found


@pytest.mark.parametrize(
    ("field", "array"),
    [
        ("terminals", None),
        *itertools.product(
            ["terminals", "timeouts"],
            [np.zeros(39, bool), np.full(40, b"no"), np.zeros((40, 2))],
        ),
    ],
)
def test_episode_bounds_that_are_missing_or_none_are_refused(whole, field, array):
    _, _, path = whole
    raw = columns(n=40)
    del raw[field]
    with pytest.raises(InputError, match=field) as error:
        read_d4rl(write(path, raw if array is None else raw | {field: array}))
    assert "\n" not in str(error.value)


def test_flags_of_last_steps_other_than_0_and_1_are_refused(tmp_path):
    raw = columns(n=40) | {"episode_terminals": np.arange(40) % 10 * 0.5}
    del raw["timeouts"]
    with pytest.raises(InputError, match=r"mine.hdf5: episode_terminals: holds 0.5, 1.5.*booleans"):
        read_d4rl(write(tmp_path / "mine.hdf5", raw), "none")
