"""Minari data sets: reading what Minari wrote, and reporting what is wrong."""

import copy
import json
import shutil
import warnings

import gymnasium
import h5py
import minari
import numpy as np
import pytest
from gymnasium import spaces
from gymnasium.envs.registration import EnvSpec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from minari.data_collector import EpisodeBuffer
from minari.dataset._storages.hdf5_storage import HDF5Storage

from oneleap.core.errors import InputError, Notice
from oneleap.domains.rl.data import minari as minari_io
from oneleap.domains.rl.data.minari import read_minari
from oneleap.domains.rl.envs.mazes import MAZES, REFERENCE_RETURNS
from oneleap.domains.rl.envs.observations import observation_vector
from oneleap.domains.rl.envs.task import Task

BOX = spaces.Box(-1, 1, (2,), np.float32)
VECTOR = spaces.Box(-np.inf, np.inf, (3,), np.float64)
GOALS = spaces.Dict({"observation": VECTOR, "achieved_goal": BOX, "desired_goal": BOX})


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path))
    return tmp_path


def buffers(lengths=(4, 1, 6), keyed=False, ends="tTt"):
    """Episodes that end by termination (t), truncation (T), or because recording stopped (-)."""
    rng, out = np.random.default_rng(0), []
    for n, end in zip(lengths, ends, strict=True):
        obs = rng.normal(size=(n + 1, 3))
        goal = np.zeros((n + 1, 2), np.float32)
        last = np.arange(n) == n - 1
        out.append(
            EpisodeBuffer(
                observations={"observation": obs, "achieved_goal": goal, "desired_goal": goal}
                if keyed
                else obs,
                actions=rng.uniform(-1, 1, (n, 2)).astype(np.float32),
                rewards=rng.normal(size=n),
                terminations=last & (end == "t"),
                truncations=last & (end == "T"),
            )
        )
    return out


def create(name, episodes, obs=VECTOR, act=BOX, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of authors and code that are not given
        minari.create_dataset_from_buffers(
            name, episodes, observation_space=obs, action_space=act, **more
        )
    return name


def recorded(root, **more):
    """Add metadata to the set ``it-v0``."""
    path = root / "it-v0/data/metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | more))


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    ends=st.text("tT-", min_size=4, max_size=4),
    keyed=st.booleans(),
)
@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_episodes_come_back_as_minari_has_them(root, lengths, ends, keyed):
    episodes = buffers(lengths, keyed, ends[: len(lengths)])
    keys = ("observation",) if keyed else ()
    shutil.rmtree(root / "it-v0", ignore_errors=True)
    data = read_minari(create("it-v0", episodes, GOALS if keyed else VECTOR), obs_keys=keys).data
    stored = list(minari.load_dataset("it-v0"))
    obs = [e.observations["observation"] if keyed else e.observations for e in stored]
    np.testing.assert_array_equal(data.obs, np.concatenate([o[:-1] for o in obs]).astype("f4"))
    np.testing.assert_array_equal(data.next_obs, np.concatenate([o[1:] for o in obs]).astype("f4"))
    np.testing.assert_array_equal(data.act, np.concatenate([e.actions for e in stored]))
    np.testing.assert_allclose(data.reward, np.concatenate([e.rewards for e in stored]), rtol=1e-6)
    assert data.bounds.tolist() == [0, *np.cumsum(lengths)]
    for start, stop, end in zip(data.bounds[:-1], data.bounds[1:], ends, strict=False):
        assert data.terminal[start:stop].tolist() == [0] * (stop - start - 1) + [end == "t"]
        assert data.timeout[start:stop].tolist() == [0] * (stop - start - 1) + [end != "t"]


def test_the_folder_will_do_for_the_name(root):
    create("me/it-v0", buffers())
    for path in (root / "me/it-v0", root / "me/it-v0/data"):
        assert len(read_minari(str(path)).data) == 11


def test_environment_bounds_and_references_are_read_back(root):
    space = spaces.Box(*np.float32([[-2, -np.inf], [2, np.inf]]))
    episodes = buffers()
    spec = EnvSpec("Some-v3", entry_point="somewhere:Some", kwargs={"level": 2})
    name = create("it-v0", episodes, act=space)
    path = root / "it-v0/data/metadata.json"
    meta = json.loads(path.read_text())
    meta |= {"env_spec": spec.to_json(), "ref_min_score": -3.0, "ref_max_score": 7.0}
    path.write_text(json.dumps(meta))
    loaded = read_minari(name)
    second = np.concatenate([e.actions[:, 1] for e in episodes])
    assert loaded.act_low.tolist() == [-2, second.min()]
    assert loaded.act_high.tolist() == [2, second.max()]
    assert (loaded.task.env, loaded.task.env_kwargs) == ("Some-v3", {"level": 2})
    assert loaded.task.score(np.array([-3.0, 7.0])).tolist() == [0, 100]
    assert loaded.task.reference == "Minari it-v0"


@pytest.mark.parametrize("maze", MAZES)
def test_minari_s_own_pointmaze_is_played_with_the_fixed_goal(root, maze):
    spec = gymnasium.spec("PointMaze_UMaze-v3")
    spec.kwargs = {"maze_map": MAZES[maze].cells, "reward_type": "sparse"}
    name = create("it-v0", buffers(keyed=True), GOALS)
    path = root / "it-v0/data/metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"env_spec": spec.to_json()}))
    with pytest.warns(Notice, match="observations are observation; not used: achieved_goal, des"):
        loaded = read_minari(name)
    assert loaded.moving_goal
    assert loaded.task.env_kwargs == {"maze": maze, "dense": True}
    assert loaded.sparse_task.env_kwargs == {"maze": maze, "dense": False}
    assert loaded.sparse_task.ref_max == REFERENCE_RETURNS[maze]["sparse_controller"]


def ant(spec):
    """Ten steps of an AntMaze of ours, as Minari has them, and its observations by entry."""
    world, rng = gymnasium.make(spec.id), np.random.default_rng(0)
    seen = [world.reset(seed=0)[0]]
    actions = rng.uniform(-1, 1, (10, 8)).astype(np.float32)
    seen += [world.step(action)[0] for action in actions]
    world.close()
    obs = {key: np.stack([one[key] for one in seen]) for key in seen[0]}
    zeros, last = np.zeros(10), np.arange(10) == 9
    episode = EpisodeBuffer(
        observations=obs, actions=actions, rewards=zeros, terminations=zeros > 0, truncations=last
    )
    return [episode], world, obs


@pytest.mark.filterwarnings("ignore:.*out of date")
@pytest.mark.parametrize("version", ["v4", "v5"])
def test_antmaze_is_read_and_played_with_position_and_goal(root, version):
    spec = gymnasium.spec(f"AntMaze_UMaze-{version}")
    episodes, world, obs = ant(spec)
    name = create("it-v0", episodes, world.observation_space, world.action_space)
    recorded(root, env_spec=spec.to_json())
    with pytest.warns(Notice, match=r"achieved_goal \+ observation \+ desired_goal"):
        loaded = read_minari(name)
    whole = [obs[key] for key in ("achieved_goal", "observation", "desired_goal")]
    whole = np.concatenate(whole, axis=1).astype(np.float32)
    np.testing.assert_array_equal(loaded.data.obs, whole[:-1])
    np.testing.assert_array_equal(loaded.data.next_obs, whole[1:])
    env = loaded.task.make(disable_env_checker=True)
    assert env.observation_space.shape == whole.shape[1:]
    np.testing.assert_array_equal(observation_vector(env.reset(seed=0)[0]), whole[0])
    np.testing.assert_array_equal(
        observation_vector(env.step(loaded.data.act[0].numpy())[0]), whole[1]
    )
    env.close()


def test_pointmaze_of_gymnasium_robotics_is_played_by_its_observation_alone():
    env = Task("PointMaze_UMaze-v3").make()
    assert observation_vector(env.reset(seed=0)[0]).shape == (4,)
    env.close()


@pytest.mark.parametrize(
    ("limit", "expected"), [(5, {"max_episode_steps": 5}), (11.0, {}), (1e6, {}), (None, {})]
)
def test_the_recorded_time_limit_is_played_unless_it_spans_all_data(root, limit, expected):
    """Collectors of maze data raise the limit to the number of steps they want."""
    create("it-v0", buffers())
    spec = EnvSpec("Some-v3", entry_point="somewhere:Some", max_episode_steps=limit)
    recorded(root, env_spec=spec.to_json())
    assert read_minari("it-v0").task.env_kwargs == expected


def test_pen_of_minari_is_played_for_its_recorded_100_steps(root):
    spec = copy.deepcopy(gymnasium.spec("AdroitHandPen-v1"))
    spec.max_episode_steps = 100
    create("it-v0", buffers((90, 90), ends="-t"))
    old = {"autoreset": False, "apply_api_compatibility": False}  # of Gymnasium 0.29
    recorded(root, env_spec=json.dumps(json.loads(spec.to_json()) | old))
    env = read_minari("it-v0").task.make()
    assert env.spec.max_episode_steps == 100
    env.close()


def test_without_environment_there_is_no_task():
    assert read_minari(create("it-v0", buffers())).task is None


@pytest.mark.parametrize("field", ["terminations", "truncations"])
def test_flags_other_than_0_and_1_are_named_as_minari_names_them(root, field):
    create("it-v0", buffers())
    with h5py.File(root / "it-v0/data/main_data.hdf5", "a") as file:
        mask = file[f"episode_0/{field}"][()].astype(np.uint8) + 254
        for k in range(3):
            del file[f"episode_{k}/{field}"]
            file[f"episode_{k}/{field}"] = np.resize(mask, len(file[f"episode_{k}/rewards"]))
    with pytest.raises(InputError, match=f"^it-v0: {field}: holds 254.* store 0 and 1, or bool"):
        read_minari("it-v0")


def test_actions_out_of_the_space_are_reported_or_clipped():
    episodes = buffers()
    episodes[2].actions[3, 0] = 1.25
    create("it-v0", episodes)
    with pytest.raises(InputError, match=r"1.25 in row 8, column 0 .* --data.clip_actions true"):
        read_minari("it-v0")
    assert read_minari("it-v0", clip=True).data.act[8, 0] == 1


@pytest.mark.parametrize(
    ("obs", "act", "what"),
    [
        (spaces.Discrete(3), BOX, "observations are Discrete"),
        (VECTOR, spaces.Discrete(3), "actions are Discrete"),
        (spaces.Box(0, 255, (40, 40, 3), np.uint8), BOX, "observations are Box"),
    ],
)
def test_spaces_that_are_no_vectors_are_reported(obs, act, what):
    with pytest.raises(InputError, match=f"^it-v0: {what}"):
        read_minari(create("it-v0", [], obs, act))


def test_names_that_are_nothing_are_reported():
    with pytest.raises(
        InputError, match=r"no such file .* Minari id such as .*; --data.path names"
    ):
        read_minari("nothing")


def test_a_file_of_another_kind_is_reported(tmp_path):
    (tmp_path / "notes.md").write_text("no data")
    with pytest.raises(
        InputError, match=r"notes\.md: neither a \.hdf5 file of D4RL's layout nor the folder"
    ):
        read_minari(str(tmp_path / "notes.md"))


def test_a_failed_download_is_one_line(monkeypatch):
    def fail(name):
        raise ConnectionError("no\nroute")

    monkeypatch.setattr(minari, "download_dataset", fail)
    with pytest.raises(InputError, match=r"not in .*, and cannot be downloaded: no route$"):
        read_minari("D4RL/hopper/medium-v2")


def test_a_download_is_read(root, monkeypatch):
    create("other-v0", buffers())
    monkeypatch.setattr(
        minari, "download_dataset", lambda name: (root / "other-v0").rename(root / name)
    )
    assert len(read_minari("it-v0").data) == 11


def damage(file, what):
    with h5py.File(file, "a") as stored:
        if what == "field":
            del stored["episode_1/rewards"]
        elif what == "episode":
            del stored["episode_1"]
        elif what == "length":
            del stored["episode_1/rewards"]
            stored["episode_1/rewards"] = np.zeros(9)
        elif what == "width":
            del stored["episode_1/actions"]
            stored["episode_1/actions"] = np.zeros((1, 5))
        elif what == "nan":
            stored["episode_2/rewards"][3] = np.nan
        elif what == "text":
            for k in range(3):
                n = len(stored[f"episode_{k}/rewards"])
                del stored[f"episode_{k}/rewards"]
                stored[f"episode_{k}/rewards"] = [b"x"] * n


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("field", "episode 1 has no field rewards"),
        ("episode", "damaged, or not a Minari data set"),
        ("length", "episode 1 has observations 2, actions 1, rewards 9"),
        ("width", "damaged, or not a Minari data set"),
        ("nan", "rewards: nan in row 8"),
        ("text", "rewards: holds .*, not numbers"),
    ],
)
def test_damage_is_reported_in_one_line(root, what, message):
    create("it-v0", buffers())
    damage(root / "it-v0/data/main_data.hdf5", what)
    with pytest.raises(InputError, match=message) as error:
        read_minari("it-v0")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["main_data.hdf5", "metadata.json"])
def test_truncated_files_are_reported_in_one_line(root, name):
    create("it-v0", buffers())
    file = root / "it-v0/data" / name
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(InputError, match=r"^it-v0: damaged, or not a Minari data set") as error:
        read_minari("it-v0")
    assert "\n" not in str(error.value)


def test_an_empty_data_set_is_reported():
    with pytest.raises(InputError, match="contains no steps"):
        read_minari(create("it-v0", []))


def test_our_reader_of_hdf5_agrees_with_minari_s(root):
    create("it-v0", buffers(keyed=True), GOALS)
    storage = HDF5Storage.read(root / "it-v0/data")
    fast = list(minari_io.read_episodes(storage, storage.metadata, ("observation",)))
    storage.FORMAT = "another"
    slow = list(minari_io.read_episodes(storage, storage.metadata, ("observation",)))
    for ours, theirs in zip(fast, slow, strict=True):
        for one, other in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["arrow", "parquet"])
def test_arrow_and_parquet_are_read(kind):
    pytest.importorskip("pyarrow", exc_type=ImportError)  # the newest asks for numpy 2
    episodes = buffers(keyed=True)
    data = read_minari(
        create("it-v0", episodes, GOALS, data_format=kind), obs_keys=("observation",)
    ).data
    obs = np.concatenate([e.observations["observation"][:-1] for e in episodes])
    np.testing.assert_array_equal(data.obs, obs.astype(np.float32))
    np.testing.assert_array_equal(data.act, np.concatenate([e.actions for e in episodes]))
    assert data.terminal.nonzero().flatten().tolist() == [3, 10]
    assert data.bounds.tolist() == [0, 4, 5, 11]
