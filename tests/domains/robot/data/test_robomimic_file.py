import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_robot import ENV_ARGS, EYE, KEYS, demonstrations

from oneleap.core.errors import InputError
from oneleap.domains.robot.data.robomimic import ReadOptions, read_demos
from oneleap.domains.robot.envs.rotation import pose_from_network

h5py = pytest.importorskip("h5py")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "demos.hdf5"


def test_what_is_written_is_read(path: Path) -> None:
    episodes = demonstrations(path, images=(16, 12))
    loaded = read_demos(str(path), ReadOptions(KEYS, (EYE,)))
    demos = loaded.demos
    assert loaded.obs_sizes == (3, 2)
    assert json.loads(loaded.env_args or "") == json.loads(ENV_ARGS)
    assert demos.names == ("demo_0", "demo_1", "demo_2")
    assert demos.bounds.tolist() == [0, 12, 21, 36]
    for k, episode in enumerate(episodes):
        rows = slice(*demos.bounds[k : k + 2].tolist())
        obs = np.concatenate([episode.obs[key][:-1] for key in KEYS], axis=1)
        np.testing.assert_array_equal(demos.obs[rows].numpy(), obs.astype(np.float32))
        np.testing.assert_array_equal(demos.act[rows].numpy(), episode.actions.astype(np.float32))
        images = demos.images[EYE].batch(range(rows.start, rows.stop))
        np.testing.assert_array_equal(images.permute(0, 2, 3, 1).numpy(), episode.obs[EYE][:-1])


def test_the_file_is_in_robomimics_layout(path: Path) -> None:
    (first, *_) = demonstrations(path)
    with h5py.File(path) as file:
        data = file["data"]
        assert data.attrs["total"] == 36
        assert json.loads(data.attrs["env_args"])["env_name"] == "Lift"
        demo = data["demo_0"]
        assert demo.attrs["num_samples"] == 12
        assert demo.attrs["model_file"] == "<mujoco/>"
        assert demo["dones"][()].tolist() == [0] * 11 + [1]
        np.testing.assert_array_equal(demo["next_obs/hand"], first.obs["hand"][1:])
        np.testing.assert_array_equal(demo["obs/hand"][1:], demo["next_obs/hand"][:-1])
        assert set(demo) == {
            "states", "actions", "actions_abs", "rewards", "dones", "obs", "next_obs",
        }  # fmt: skip


def test_a_failed_write_leaves_no_file(path: Path) -> None:
    from oneleap.domains.robot.data.robomimic_write import write_demos

    def episodes() -> Any:
        raise RuntimeError("out of demonstrations")
        yield

    with pytest.raises(RuntimeError, match="out of"):
        write_demos(path, ENV_ARGS, episodes())
    assert list(path.parent.iterdir()) == []


def test_filter_keys_and_a_maximum_select_demonstrations(path: Path) -> None:
    demonstrations(path)
    names = {
        key: read_demos(str(path), ReadOptions(KEYS, filter_key=key)).demos.names
        for key in ("train", "valid")
    }
    assert names == {"train": ("demo_0", "demo_1"), "valid": ("demo_2",)}
    assert read_demos(str(path), ReadOptions(KEYS, max_demos=2)).demos.names == ("demo_0", "demo_1")


def test_demonstrations_are_in_the_order_of_their_numbers(path: Path) -> None:
    demonstrations(path, lengths=(5,) * 11)
    assert read_demos(str(path), ReadOptions(KEYS)).demos.names == tuple(
        f"demo_{k}" for k in range(11)
    )


def test_absolute_actions_have_six_numbers_for_rotation(path: Path) -> None:
    episodes = demonstrations(path)
    act = read_demos(str(path), ReadOptions(KEYS, absolute=True)).demos.act
    assert act.shape == (36, 10)
    wanted = np.concatenate([episode.actions_abs for episode in episodes])
    np.testing.assert_allclose(pose_from_network(act.double().numpy()), wanted, atol=1e-6)


def test_the_first_layout_opens(path: Path) -> None:
    """v0.1: no masks, no absolute actions, no version, vectors of rank 1."""
    demonstrations(path)
    old = json.dumps({"env_name": "Lift", "type": 1, "env_kwargs": {"robots": "Panda"}})

    def make_old(file: Any) -> None:
        del file["mask"]
        file["data"].attrs["env_args"] = old
        for demo in file["data"].values():
            del demo["actions_abs"]
            del demo.attrs["num_samples"]
            scalar = demo["obs/object"][:, 0]
            del demo["obs/object"]
            demo["obs/object"] = scalar

    change_file(path, make_old)
    loaded = read_demos(str(path), ReadOptions(KEYS))
    assert loaded.obs_sizes == (3, 1)
    assert len(loaded.demos) == 36


def change_file(path: Path, change: Callable[[Any], None]) -> None:
    with h5py.File(path, "r+") as file:
        change(file)


def put(name: str, value: Any) -> Callable[[Any], None]:
    def change(file: Any) -> None:
        if name in file:
            del file[name]
        if value is not None:
            file[name] = value

    return change


def attribute(name: str, value: Any, where: str = "data") -> Callable[[Any], None]:
    return lambda file: file[where].attrs.__setitem__(name, value)


BAD = np.zeros((9, 7))
BAD[3, 5] = np.nan
WRONG: dict[str, tuple[Callable[[Any], None], str]] = {
    "no data": (put("data", None), "no group 'data'"),
    "key": (put("data/demo_1/obs/hand", None), "demo_1: no obs/hand"),
    "actions": (put("data/demo_1/actions", None), "demo_1: no actions"),
    "obs": (put("data/demo_1/obs", None), "demo_1: no observations"),
    "length": (put("data/demo_1/obs/hand", np.zeros((8, 3))), "obs/hand has 8 rows, actions has 9"),
    "num_samples": (attribute("num_samples", 4, "data/demo_1"), "demo_1: num_samples is 4"),
    "NaN": (put("data/demo_1/actions", BAD), "demo_1: actions is nan in row 3, column 5"),
    "text": (put("data/demo_1/actions", np.array([b"x"] * 9)), "demo_1: actions holds"),
    "size": (
        put("data/demo_1/actions", np.zeros((9, 6))),
        r"demo_1: actions has rows of shape \(6,\)",
    ),
    "env_args": (attribute("env_args", "{"), "env_args is not valid JSON"),
    "mask": (put("mask/few", np.array([b"demo_9"])), "mask/few names demo_9"),
    "no group": (put("data/demo_1", np.zeros(3)), "damaged, or not in robomimic's layout"),
    "flat obs": (put("data/demo_1/obs", np.zeros(3)), "damaged, or not in robomimic's layout"),
    "number": (put("data/demo_1/actions", 3.0), "damaged, or not in robomimic's layout"),
    "words": (attribute("num_samples", "many", "data/demo_1"), "damaged, or not in robomimic's"),
    "flat mask": (put("mask", np.zeros(3)), "no filter key 'few'|damaged, or not"),
    "no mask": (put("mask/few", None), "no filter key 'few'"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_fault_is_reported_in_one_line(kind: str, path: Path) -> None:
    demonstrations(path)
    change, message = WRONG[kind]
    change_file(path, change)
    key = "few" if "mask" in kind else None
    with pytest.raises(InputError, match=message) as error:
        read_demos(str(path), ReadOptions(KEYS, filter_key=key))
    assert str(path) in str(error.value)
    assert "docs/howto/data-robot.md" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_misspelled_key_gets_a_suggestion(path: Path) -> None:
    demonstrations(path)
    with pytest.raises(InputError, match=r"no obs/hnad.*hand"):
        read_demos(str(path), ReadOptions(("hnad",)))


def test_arrays_that_are_not_images_are_refused(path: Path) -> None:
    demonstrations(path)
    with pytest.raises(InputError, match=r"demo_0: obs/hand is float64.*not images"):
        read_demos(str(path), ReadOptions(KEYS, ("hand",)))


def test_missing_absolute_actions_are_reported(path: Path) -> None:
    demonstrations(path)
    change_file(path, put("data/demo_2/actions_abs", None))
    with pytest.raises(InputError, match="demo_2: no actions_abs"):
        read_demos(str(path), ReadOptions(KEYS, absolute=True))


def test_a_missing_and_a_damaged_file_are_reported(path: Path) -> None:
    with pytest.raises(InputError, match=r"demos.hdf5: no such file; make one with oneleap"):
        read_demos(str(path), ReadOptions(KEYS))
    path.write_bytes(b"no HDF5")
    with pytest.raises(InputError, match="damaged, or not an HDF5 file"):
        read_demos(str(path), ReadOptions(KEYS))


def test_a_damaged_file_of_images_is_reported(path: Path) -> None:
    demonstrations(path, images=(16, 12))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match="damaged"):
        read_demos(str(path), ReadOptions(KEYS, (EYE,)))


def test_images_survive_compression() -> None:
    from oneleap.domains.robot.data.frames import CompressedImages, compress_images

    images = np.random.default_rng(0).integers(0, 256, (5, 9, 7, 3), dtype=np.uint8)
    frames = CompressedImages(tuple(compress_images(images)), (9, 7))
    assert len(frames) == 5
    found = frames.batch([4, 0, 4])
    assert found.dtype == torch.uint8
    np.testing.assert_array_equal(found.permute(0, 2, 3, 1).numpy(), images[[4, 0, 4]])
