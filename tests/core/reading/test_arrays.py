"""Arrays from npy, npz and HDF5 files: nothing is unpickled, followed out of the file, or huge."""

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.core.reading.arrays import hdf5_member, read_array, read_arrays, read_hdf5


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self) -> Any:
        return pytest.fail, ("unpickled",)


def npy(array: Any, **rest: Any) -> bytes:
    out = io.BytesIO()
    np.save(out, array, **rest)
    return out.getvalue()


def test_arrays_of_numbers_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(3))
    np.savez(tmp_path / "a.npz", x=np.arange(3), y="text")
    assert read_array(tmp_path / "a.npy").tolist() == [0, 1, 2]
    assert read_array(tmp_path / "a.npy", mapped=True).tolist() == [0, 1, 2]
    assert read_arrays(tmp_path / "a.npz")["y"] == "text"
    assert list(read_arrays(tmp_path / "a.npz", ("x", "no"))) == ["x"]


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        npy(np.array([Bomb()], object)),
        npy(np.arange(3))[:-4],
        npy(np.arange(3)).replace(b"(3,)", b"(9,)"),
        npy(np.array(["ab"])).replace(b"a\0\0\0", b"a\0\xff\xff"),
    ],
)
def test_damaged_arrays_and_pickles_are_refused(
    content: bytes, mapped: bool, tmp_path: Path
) -> None:
    (tmp_path / "a.npy").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.npy: damaged, or not an array of numbers"):
        read_array(tmp_path / "a.npy", mapped=mapped)


@pytest.mark.parametrize(
    "members",
    [
        {"x.npy": npy(np.array([Bomb()], object))},
        {"x.npy": b"text"},
        {"x": b"text"},
        {"x.npy": npy(np.arange(9))[:-1]},
    ],
)
def test_damaged_members_are_refused(members: dict[str, bytes], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    with pytest.raises(InputError, match=r"a\.npz: "):
        read_arrays(tmp_path / "a.npz")


def test_an_archive_that_unpacks_to_far_more_is_refused(tmp_path: Path) -> None:
    with (
        zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as file,
        file.open("x.npy", "w", force_zip64=True) as member,
    ):
        member.write(npy(np.zeros(1)))
        for _ in range(300):
            member.write(bytes(1 << 20))
    with pytest.raises(InputError, match="unpack to"):
        read_arrays(tmp_path / "a.npz")


def test_hdf5(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    (tmp_path / "secret").write_bytes(b"secret" * 10)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["good/x"] = np.arange(3)
        file["bad/empty"] = h5py.Empty("f4")
        file["bad/link"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "/x")
        file["bad/loop"] = file["bad"]
        file.create_dataset("bad/huge", (10**6, 10**6), "f8", chunks=(1000, 1000))
        file.create_dataset("bad/chunk", (10**9,), "u1", chunks=(10**9,))
        file.create_dataset("bad/out", (4,), "u1", external=[(str(tmp_path / "secret"), 0, 60)])
        file["bad/records"] = np.zeros(3, [("a", "f4")])
    with h5py.File(tmp_path / "a.h5") as file:
        assert read_hdf5(file["good"], "a")["x"].tolist() == [0, 1, 2]
        for name, said in (
            ("empty", "is empty"),
            ("link", "is in another file"),
            ("loop", "nested too deeply|is empty|another file|unpack to"),
            ("huge", "unpack to"),
            ("chunk", "unpack to"),
            ("out", "is in another file"),
            ("records", "not numbers"),
        ):
            with pytest.raises(InputError, match=said):
                read_hdf5(hdf5_member(file, f"bad/{name}", "a"), f"a/{name}")
