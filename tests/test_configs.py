"""Every configuration that ships is parsed and built, on data that are not there."""

from pathlib import Path

import lightning as L
import pytest
import yaml
from jsonargparse import ArgumentParser

import oneleap.core.objectives  # noqa: F401  (bare names)
from oneleap.core.errors import InputError
from oneleap.core.hub import Pretrained
from oneleap.core.recipes import find, first_line, run_name, shipped
from oneleap.domains.main import main

CONFIGS = shipped()


def parser(*, skip: set[str]) -> ArgumentParser:
    """The same arguments as ``oneleap fit``, data and trainer not built."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(L.LightningDataModule, "data", instantiate=False)
    parser.add_subclass_arguments(L.LightningModule, "model", skip=skip)
    parser.add_class_arguments(L.Trainer, "trainer", instantiate=False)
    return parser


def fake_spec(model: str) -> object:
    """What the data would say, for a model of the given module."""
    from oneleap.domains.rl.task import Spec

    specs = {"rl": Spec(3, 2, (0.0,) * 3, (1.0,) * 3, (-1.0,) * 2, (1.0,) * 2)}
    return specs[model.split(".")[2]]


def test_there_are_some() -> None:
    assert {"rl/ofql_pointmaze-umaze", "rl/ofql_d4rl"} <= set(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_parses_and_its_model_is_built_and_saved(name: str, tmp_path: Path) -> None:
    pytest.importorskip("gymnasium")
    settings = yaml.safe_load(CONFIGS[name].read_text())
    settings = {key: settings[key] for key in ("model", "data", "trainer")}
    parsed = parser(skip={"spec"}).parse_object(settings)
    assert parsed.trainer.max_steps > 0
    spec = fake_spec(parsed.model.class_path)
    built = parser(skip={"spec"}).instantiate(
        parsed,
        instantiators=[
            (lambda cls, **given: cls(spec=spec, **given), L.LightningModule, True),
            (lambda cls, **given: None, L.LightningDataModule, True),
        ],
    )
    assert isinstance(built.model, Pretrained)
    built.model.save_pretrained(tmp_path)
    again = type(built.model).from_pretrained(tmp_path)
    assert again.spec == spec
    assert again.objective == built.model.objective


@pytest.mark.parametrize("name", CONFIGS)
def test_its_first_line_says_what_it_is_for(name: str) -> None:
    assert CONFIGS[name].read_text().startswith("# ")
    assert 20 < len(first_line(CONFIGS[name])) <= 100


def test_configs_are_listed_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CONFIGS)
    assert all(first_line(path) in line for line, path in zip(lines, CONFIGS.values(), strict=True))


def test_names_and_paths_are_found(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.touch()
    assert find(str(path)) == path
    assert find("rl/ofql_d4rl") == CONFIGS["rl/ofql_d4rl"]
    with pytest.raises(InputError, match=r"'rl/ofql_d4r1'; did you mean 'rl/ofql_d4rl'\?"):
        find("rl/ofql_d4r1")


def test_runs_are_filed_under_the_configuration(tmp_path: Path) -> None:
    assert run_name("rl/ofql_d4rl") == "rl/ofql_d4rl"
    assert run_name(str(tmp_path / "mine.yaml")) == "mine"
    assert run_name("runs/rl/ofql_d4rl/2026-01-01/config.yaml") == "ofql_d4rl"
