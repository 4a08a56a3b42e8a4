"""Data whose observations stay on the disk: the batches of OfflineData, in little memory."""

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from support.hostile.attempt import peak, reset_peak

from oneleap.core.errors import InputError
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.mapped import MappedData
from oneleap.domains.rl.data.rewards import GoalDistanceReward

N = 60


def fields(following: bool = True) -> dict[str, Any]:
    g = np.random.default_rng(0)
    obs = g.normal([0, 5, 100], [1, 2, 0], (N + 1, 3))
    found = {
        "observations": obs[:-1],
        "actions": g.uniform(-1, 1, (N, 2)),
        "rewards": g.normal(size=N),
        "terminals": np.arange(N) % 20 == 19,
        "timeouts": np.arange(N) % 30 == 14,
    }
    return found | ({"next_observations": obs[1:].astype(np.float32)} if following else {})


def write_file(folder: Path, arrays: dict[str, Any], **how: Any) -> str:
    with h5py.File(folder / "a.hdf5", "w") as file:
        for name, array in arrays.items():
            file.create_dataset(name, data=array, **how)
    return str(folder / "a.hdf5")


def write_folder(folder: Path, arrays: dict[str, Any]) -> str:
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
    return str(folder)


@pytest.mark.parametrize("write", [write_file, write_folder])
@pytest.mark.parametrize("following", [True, False])
@pytest.mark.parametrize("more", [{}, {"n_step": 3}, {"chunk": 2}, {"normalize_obs": False}])
def test_batches_and_statistics_are_those_of_data_in_memory(
    tmp_path: Path, write: Any, following: bool, more: dict[str, Any]
) -> None:
    arrays = fields(following)
    path = write(tmp_path, arrays)
    mapped = MappedData(path, env="none", batch_size=16, **more)
    memory = OfflineData.from_arrays(arrays, batch_size=16, validation=0.0, **more)
    for name, value in vars(memory.spec).items():
        found = getattr(mapped.spec, name)
        assert found == (pytest.approx(value, rel=1e-6) if name.startswith("obs_") else value)
    for step in range(5):
        for one, two in zip(mapped.batch(step), memory.batch(step), strict=True):
            if two is None:
                assert one is None
            else:
                assert one is not None
                assert one.dtype == two.dtype
                assert torch.equal(one.nan_to_num(7), two.nan_to_num(7))
        assert mapped.rows(step) == memory.rows(step)


def test_what_cannot_be_mapped_is_refused_with_the_mend(tmp_path: Path) -> None:
    def refused(path: str, **how: Any) -> str:
        with pytest.raises(InputError) as error:
            MappedData(path, env="none", **how).spec  # noqa: B018
        assert "\n" not in str(error.value)
        return str(error.value)

    arrays = fields()
    for how in ({"compression": "gzip"}, {"chunks": True}):
        said = refused(write_file(tmp_path, arrays, **how))
        assert "observations: is compressed, in chunks or no numbers" in said
    np.savez(tmp_path / "a.npz", **arrays)
    assert "unpack it into a folder of npy files" in refused(str(tmp_path / "a.npz"))
    assert "no field 'timeouts'" in refused(
        write_file(tmp_path, {k: v for k, v in arrays.items() if k != "timeouts"})
    )
    narrow = arrays | {"next_observations": np.zeros((N, 2))}
    assert "3 columns, next_observations 2" in refused(write_file(tmp_path, narrow))
    for name in ("observations", "next_observations"):
        broken = arrays[name].copy()
        broken[41, 1] = np.nan
        said = refused(write_file(tmp_path, arrays | {name: broken}))
        assert "row 41 holds numbers that are not finite" in said
    path = write_file(tmp_path, arrays)
    Path(path).write_bytes(Path(path).read_bytes()[:-500])
    assert "damaged" in refused(path)
    assert "use OfflineData" in refused(path, reward=GoalDistanceReward((0.0, 0.0)))
    columns = arrays | {"observations": np.asfortranarray(arrays["observations"])}
    assert "columns instead of rows" in refused(write_folder(tmp_path, columns))


def test_the_memory_is_far_below_the_size_of_the_file(tmp_path: Path) -> None:
    n, width = 1 << 17, 1024
    write_folder(
        tmp_path,
        {
            "actions": np.zeros((n, 1), np.float32),
            "rewards": np.zeros(n, np.float32),
            "terminals": np.zeros(n, bool),
            "timeouts": np.arange(n) % 1000 == 999,
        },
    )
    file = tmp_path / "observations.npy"
    obs = np.lib.format.open_memmap(file, "w+", np.float32, (n, width))  # sparse on the disk
    obs[::1000, 3] = 1
    del obs
    before = reset_peak()
    data = MappedData(str(tmp_path), env="none", batch_size=64)
    assert data.spec.obs_mean[3] == pytest.approx(1e-3, rel=0.01)
    assert data.batch(0).obs.shape == (64, width)
    assert peak() - before < file.stat().st_size / 4
