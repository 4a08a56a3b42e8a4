"""Configurations that say nothing, too much, or what no machine can do."""

from pathlib import Path

import pytest
import yaml
from support.hostile.mutate import LAUGHS
from support.tiny import CONFIG, complain

from oneleap.core.cli.configs import with_current_names


@pytest.mark.parametrize("section", ["trainer", "checkpoints", "export", "progress"])
def test_the_name_of_a_section_alone_says_nothing(section: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"seed: 3\n{section}:\n")
    assert yaml.safe_load(with_current_names(path)) == {"seed": 3}


@pytest.mark.parametrize("name", ["seed", "seed_everything"])
@pytest.mark.parametrize("seed", [2**64, 10**30])
def test_a_seed_above_64_bits_is_a_line(
    name: str,
    seed: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(f"{CONFIG}{name}: {seed}\n")
    said = complain(capsys, "fit --config tiny.yaml --run a")
    assert said.startswith(f"seed: {seed} is above")


def test_multiplied_aliases_are_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(CONFIG + LAUGHS)
    said = complain(capsys, "fit --config tiny.yaml --run a")
    assert said.startswith("tiny.yaml: its aliases stand for more than")
