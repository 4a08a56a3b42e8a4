from pathlib import Path

import pytest

from oneleap.core.errors import InputError
from oneleap.core.hub.registry import find_shipped, shipped_models


def test_a_package_without_models_ships_none() -> None:
    assert shipped_models("oneleap.core", "no_such_folder") == {}


def test_only_folders_with_a_configuration_are_shipped_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, part in (("b", ""), ("a", ""), ("parts", "inner"), ("half", None)):
        (tmp_path / "voices" / name / (part or "")).mkdir(parents=True)
        if part is not None:
            (tmp_path / "voices" / name / part / "config.json").touch()
    monkeypatch.setattr("oneleap.core.hub.registry.files", lambda package: tmp_path)
    assert list(shipped_models("any", "voices")) == ["a", "b"]
    assert list(shipped_models("any", "voices", "inner")) == ["parts"]


def test_a_name_is_shipped_or_a_folder_or_refused(tmp_path: Path) -> None:
    known = {"allison": tmp_path / "shipped"}
    known["allison"].mkdir()
    assert find_shipped("voice", "allison", known) == known["allison"]
    assert find_shipped("voice", tmp_path, known) == tmp_path
    with pytest.raises(InputError, match=r"^voice: no 'alison'; did you mean 'allison'"):
        find_shipped("voice", "alison", known)
    with pytest.raises(InputError, match="none is shipped; or name a folder"):
        find_shipped("singer", "anna", {})
