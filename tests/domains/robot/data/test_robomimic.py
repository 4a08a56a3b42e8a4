"""Files written here are read by robomimic's own code."""

import argparse
import warnings
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("robomimic")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import robomimic.utils.env_utils as EnvUtils
    import robomimic.utils.file_utils as FileUtils
    import robomimic.utils.obs_utils as ObsUtils
    from robomimic.scripts.playback_dataset import playback_dataset
    from robomimic.utils.dataset import SequenceDataset

from support.tiny_robot import EYE, demonstrations

KEYS = ("hand", "object")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    demonstrations(tmp_path / "demos.hdf5", images=(16, 16))
    specs = {"obs": {"low_dim": list(KEYS), "rgb": [EYE]}}
    ObsUtils.initialize_obs_utils_with_obs_specs(specs)
    return tmp_path / "demos.hdf5"


def test_its_data_set_has_the_same_steps(path: Path) -> None:
    episodes = demonstrations(path.with_name("same.hdf5"), images=(16, 16))
    data = SequenceDataset(
        hdf5_path=str(path),
        obs_keys=(*KEYS, EYE),
        dataset_keys=("actions", "rewards", "dones"),
        load_next_obs=True,
        frame_stack=1,
        seq_length=1,
        hdf5_cache_mode=None,
        hdf5_use_swmr=False,
    )
    assert data.n_demos == len(episodes)
    assert len(data) == sum(len(episode.actions) for episode in episodes)
    item, first = data[2], episodes[0]
    np.testing.assert_allclose(item["actions"][0], first.actions[2], rtol=1e-6)
    np.testing.assert_allclose(item["obs"]["hand"][0], first.obs["hand"][2], rtol=1e-6)
    np.testing.assert_allclose(item["next_obs"]["object"][0], first.obs["object"][3], rtol=1e-6)
    np.testing.assert_array_equal(item["obs"][EYE][0], first.obs[EYE][2])
    data.close_and_delete_hdf5_handle()


def test_filter_keys_select_demonstrations(path: Path) -> None:
    chosen = {key: FileUtils.get_demos_for_filter_key(str(path), key) for key in ("train", "valid")}
    assert chosen == {"train": ["demo_0", "demo_1"], "valid": ["demo_2"]}


def test_it_finds_the_environment(path: Path) -> None:
    meta = FileUtils.get_env_metadata_from_dataset(str(path))
    assert meta["env_name"] == "Lift"
    assert EnvUtils.is_robosuite_env(meta)
    shapes = FileUtils.get_shape_metadata_from_dataset(str(path), all_obs_keys=[*KEYS, EYE])
    assert shapes["ac_dim"] == 7
    assert shapes["all_shapes"]["hand"] == [3]
    assert shapes["all_shapes"][EYE] == [3, 16, 16]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_it_plays_back_what_was_seen(path: Path) -> None:
    video = path.with_suffix(".mp4")
    arguments = argparse.Namespace(
        dataset=str(path),
        filter_key=None,
        n=2,
        use_obs=True,
        use_actions=False,
        render=False,
        video_path=str(video),
        video_skip=2,
        render_image_names=[EYE],
        first=False,
    )
    playback_dataset(arguments)
    assert b"ftyp" in video.read_bytes()[:64]
