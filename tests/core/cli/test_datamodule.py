"""The data module of a run, built again from its configuration."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.tiny import Noise

from oneleap.core.cli.datamodule import load_datamodule
from oneleap.core.errors import InputError
from oneleap.core.hub.trust import user_packages

DATA = "data: {class_path: support.tiny.Noise, init_args: {path: here, size: 5}}\n"


@pytest.fixture(autouse=True)
def trust() -> Iterator[None]:
    with user_packages((), ("support",)):
        yield


def run_with(folder: Path, config: str) -> Path:
    (folder / "config.yaml").write_text(config)
    return folder


def test_the_settings_are_those_of_the_run(tmp_path: Path) -> None:
    rest = "model: {class_path: support.tiny.Shrink}\ntrainer: {max_steps: 40}\n"
    data = load_datamodule(run_with(tmp_path, DATA + rest))
    assert isinstance(data, Noise)
    assert (data.path, data.size) == ("here", 5)


def test_settings_that_a_run_does_not_name_are_defaults(tmp_path: Path) -> None:
    data = load_datamodule(run_with(tmp_path, DATA.replace(", size: 5", "")))
    assert isinstance(data, Noise)
    assert data.size == 8


@pytest.mark.parametrize(
    ("config", "complaint"),
    [
        ("trainer: {max_steps: 40}\n", "data"),
        (DATA.replace("size", "siez"), "no option 'data.siez'; did you mean 'data.size'?"),
        (DATA.replace("size: 5", "size: big"), "data.size: expected int, not 'big'"),
        (DATA.replace("Noise", "Noize"), "data: no class 'Noize'"),
        (DATA.replace("path: here, ", ""), "path"),
        ("a: [", "not a configuration in YAML"),
    ],
)
def test_what_cannot_be_built_is_named_with_its_file(
    tmp_path: Path, config: str, complaint: str
) -> None:
    with pytest.raises(InputError) as caught:
        load_datamodule(run_with(tmp_path, config))
    assert str(caught.value).startswith(f"{tmp_path / 'config.yaml'}: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_without_a_configuration_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.yaml: no such file; name the folder of a run"):
        load_datamodule(tmp_path)


def test_what_the_data_module_refuses_is_its_own_message(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^nowhere: no such data$"):
        load_datamodule(run_with(tmp_path, DATA.replace("here", "nowhere")))
