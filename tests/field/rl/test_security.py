"""Names in files import nothing: environments are looked up among what is registered."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import gymnasium
import numpy as np
import pytest
from field.rl.situations import Endless, steps, write_hdf5, write_npz
from gymnasium.envs.registration import EnvSpec
from support.tiny_rl import SPEC, TINY

from oneleap.core.errors import InputError
from oneleap.core.objectives import MeanFlow
from oneleap.domains.main import main
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.datamodule import OfflineData
from oneleap.domains.rl.data.files import TASK_KEY
from oneleap.domains.rl.data.minari import write_minari
from oneleap.domains.rl.data.pixels import PixelData
from oneleap.domains.rl.demonstrators.episodes import collect_episodes
from oneleap.domains.rl.envs.task import Task

BAD = "fieldsentinel:X-v0"


@pytest.fixture(autouse=True)
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that appears when the module ``fieldsentinel`` is imported."""
    mark = tmp_path / "imported"
    (tmp_path / "fieldsentinel.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    return mark


def refused(data: OfflineData, imported: Path) -> None:
    with pytest.raises(InputError, match=r"--import fieldsentinel") as error:
        data.spec  # noqa: B018
    assert "\n" not in str(error.value)
    assert not imported.exists()


def test_an_attribute_of_a_file_is_not_imported(tmp_path: Path, imported: Path) -> None:
    for path in (
        write_hdf5(tmp_path / "a.hdf5", steps(), env_id=BAD),
        write_hdf5(tmp_path / "b.hdf5", steps(), env_id=BAD.encode()),
        write_npz(tmp_path / "c.npz", steps(), env_id=BAD),
    ):
        refused(OfflineData(path), imported)
        refused(OfflineData(path, env=BAD), imported)


def test_a_task_of_a_file_of_images_is_not_imported(tmp_path: Path, imported: Path) -> None:
    images = np.zeros((40, 8, 8, 3), np.uint8)
    fields = steps() | {"observations": images, "next_observations": images}
    for attributes in ({"env_id": BAD}, {TASK_KEY: json.dumps(asdict(Task(BAD)))}):
        refused(PixelData(write_hdf5(tmp_path / "a.hdf5", fields, **attributes)), imported)
    damaged = write_hdf5(tmp_path / "a.hdf5", fields, **{TASK_KEY: "[1, 2]"})
    with pytest.raises(InputError, match="not a task in JSON"):
        PixelData(damaged).spec  # noqa: B018


@pytest.mark.parametrize("name", ["X-v0", "FieldLimited-v0"])
def test_an_entry_point_of_minari_is_not_imported(
    tmp_path: Path, imported: Path, name: str
) -> None:
    """Its ``env_spec`` is JSON with an entry point; only the id counts."""
    env = gymnasium.make("FieldLimited-v0")
    episodes = list(collect_episodes(env, lambda obs: np.zeros(2, np.float32), 14, 0))
    write_minari(tmp_path / "d", "oneleap/it-v0", episodes, env, {})
    file = tmp_path / "d/data/metadata.json"
    spec = EnvSpec(name, entry_point="fieldsentinel:Env").to_json()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"env_spec": spec}))
    data = OfflineData(str(tmp_path / "d"))
    if name == "X-v0":
        with pytest.raises(InputError, match="X-v0: not registered; --import PACKAGE"):
            data.spec  # noqa: B018
    else:
        assert data.spec.task is not None
        assert isinstance(data.spec.task.make().unwrapped, Endless)
    for bad in (BAD, f"{BAD}?"):
        text = json.dumps(json.loads(spec) | {"id": bad})
        file.write_text(json.dumps(json.loads(file.read_text()) | {"env_spec": text}))
        with pytest.raises(InputError):
            OfflineData(str(tmp_path / "d")).spec  # noqa: B018
    assert not imported.exists()


def test_a_model_imports_nothing(
    tmp_path: Path, imported: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = replace(SPEC, task=Task(BAD))
    Policy(spec, MeanFlow(), **TINY).save_pretrained(tmp_path / "model")
    assert main(["evaluate", str(tmp_path / "model"), "--episodes", "1", "--video", "false"]) == 2
    assert "--import fieldsentinel" in capsys.readouterr().err
    assert not imported.exists()


@pytest.mark.parametrize("name", ["GymV21Environment-v0", "GymV26Environment-v0"])
def test_environments_that_make_others_by_name_are_refused(imported: Path, name: str) -> None:
    with pytest.raises(InputError, match="makes others by name"):
        Task(name, {"env_id": BAD}).make()
    assert not imported.exists()


def test_an_old_name_with_a_module_works_once_the_user_imported_it() -> None:
    env = Task("anything:FieldLimited-v0").make()
    assert isinstance(env.unwrapped, Endless)
