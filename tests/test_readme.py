"""The README keeps its word: its Python runs, its commands and its links are there."""

import re
import shlex
from pathlib import Path

import matplotlib.pyplot
import pytest

from oneleap.core.cli.configs import shipped
from oneleap.core.cli.dispatch import Group
from oneleap.domains.main import COMMANDS

ROOT = Path(__file__).parents[1]
TEXTS = {name: (ROOT / name).read_text() for name in ("README.md", "CONTRIBUTING.md")}
BLOCK = re.compile(r"(<!-- not run[^>]*-->\n)?```(\w*)\n(.*?)```", re.DOTALL)


def blocks(language: str) -> list[tuple[str, str]]:
    """File and text of each block of a language, but those marked ``<!-- not run: why -->``."""
    return [
        (name, text)
        for name, whole in TEXTS.items()
        for skipped, kind, text in BLOCK.findall(whole)
        if kind == language and not skipped
    ]


def commands() -> list[list[str]]:
    lines = [line for _, text in blocks("sh") for line in text.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True) for line in lines if line.startswith("oneleap ")]


@pytest.mark.parametrize(("name", "text"), blocks("python"))
def test_python_runs(name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(matplotlib.pyplot, "show", lambda: None)
    exec(compile(text, name, "exec"), {"__name__": "__readme__"})


def test_there_is_something_to_check() -> None:
    assert blocks("python")
    assert commands()


@pytest.mark.parametrize("argv", commands(), ids=" ".join)
def test_commands_exist(argv: list[str]) -> None:
    command = COMMANDS[argv[1]]
    if isinstance(command, Group):
        assert argv[2] in command.commands
    if "--config" in argv:
        config = argv[argv.index("--config") + 1]
        assert config in shipped() or config.isupper()


@pytest.mark.parametrize("name", TEXTS)
def test_make_targets_exist(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    code = " ".join(re.findall(r"```.*?```|`[^`]+`", TEXTS[name], re.DOTALL))
    for target in re.findall(r"\bmake ([a-z-]+)\b", code):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("name", TEXTS)
def test_links_lead_somewhere(name: str) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", TEXTS[name]):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target
