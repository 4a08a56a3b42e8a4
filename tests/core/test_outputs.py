"""An output that cannot be written is noticed before the work, whatever the command."""

import importlib
import inspect
import shlex
from pathlib import Path
from typing import get_type_hints

import pytest

from oneleap.core.cli.dispatch import ByDomain, Command, Group, run
from oneleap.core.errors import InputError
from oneleap.core.outputs import OPTIONS, PIPE, check_output
from oneleap.domains.main import COMMANDS, main

WORKED: list[Path] = []


def work(out: Path = Path("out.wav"), json: Path | None = None, data: Path | None = None) -> None:
    """Work for hours.

    Args:
        out: Result.
        json: Figures.
        data: Input.
    """
    WORKED.append(out)


def targets() -> list[str]:
    found: list[str] = []
    for command in COMMANDS.values():
        if isinstance(command, Command):
            found.append(command.target)
        elif isinstance(command, Group):
            found += command.commands.values()
        elif isinstance(command, ByDomain):
            found += command.domains.values()
    return found


@pytest.fixture
def closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place below a file, where not even the administrator can write."""
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    WORKED.clear()
    return Path("file/a/b.wav")


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_text("old")
    for name in ("a.wav", "new.wav", "deep/er/new.wav", "folder", "."):
        check_output(tmp_path / name)
    check_output(PIPE)
    assert [path.name for path in tmp_path.iterdir()] == ["a.wav"]
    assert (tmp_path / "a.wav").read_text() == "old"


def test_a_place_that_cannot_be_written_is_named(closed: Path) -> None:
    with pytest.raises(InputError, match=r"^json: file/a/b.wav cannot be written .*not a folder"):
        check_output(closed, "json")
    Path("folder.wav").mkdir()
    with pytest.raises(InputError, match=r"^folder.wav is a folder: name a file"):
        check_output(Path("folder.wav"))


def test_a_system_folder_is_refused() -> None:
    if not Path("/proc").is_dir():
        pytest.skip("no /proc")
    with pytest.raises(InputError, match="cannot be written"):
        check_output(Path("/proc/oneleap/a.json"))


@pytest.mark.parametrize("option", ["out", "json"])
def test_a_command_refuses_before_it_works(
    option: str, closed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    commands = {"work": Command("work", f"{__name__}:work")}
    argv = ["work", "--data", "nowhere/at/all"]
    assert run(commands, {}, argv) == 0
    assert len(WORKED) == 1
    assert run(commands, {}, [*argv, f"--{option}", str(closed)]) == 2
    assert f"oneleap: {option}: {closed} cannot be written" in capsys.readouterr().err
    assert len(WORKED) == 1


def test_every_output_of_every_command_is_known() -> None:
    """An option for a path that a command writes has a name that is checked."""
    inputs = {
        *(
            "acoustic",
            "base",
            "card",
            "composer",
            "data",
            "dictionary",
            "durations",
            "file",
            "folder",
        ),
        *("held_out", "inpaint", "lexicon", "melody", "midi", "music", "outpaint", "path"),
        *("pitch", "recordings", "run", "score", "sentences", "soundfont", "student", "styles"),
        *("fortunes", "tagger", "timbre", "variance", "vocoder", "wordnet", "policy"),
    }
    for target in targets():
        module, _, name = target.partition(":")
        try:
            function = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError:
            continue
        for option, hint in get_type_hints(function).items():
            if "Path" in str(hint) and option in inspect.signature(function).parameters:
                assert option in OPTIONS or option in inputs, f"{target}: {option}"


@pytest.mark.parametrize(
    "line",
    [
        "speak Hello. -o file/a.wav",
        "sing song.musicxml -o file/a.wav",
        "compose --intensity rise -o file/a.wav",
        "bench rl --json file/a.json",
        "bench core --picture file/a.png",
        "collect pointmaze --out file/data",
        "export pointmaze-umaze",
        "evaluate pointmaze-umaze",
    ],
)
def test_the_commands_refuse_in_one_line(
    line: str, closed: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("soundfile")
    pytest.importorskip("gymnasium")
    Path("evaluation").touch()  # shipped models are evaluated into folders of these names
    Path("export").touch()
    assert main(shlex.split(line)) == 2
    error = capsys.readouterr().err
    assert "cannot be written" in error
    assert error.count("\n") == 1
    assert {path.name for path in Path.cwd().iterdir()} == {"file", "evaluation", "export"}


def test_a_name_with_a_byte_of_zero_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match=r"^out: 'a\\x00\.wav' cannot be written"):
        check_output(Path("a\0.wav"), "out")
    assert main(["speak", "Hello.", "-o", "a\0.wav"]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
