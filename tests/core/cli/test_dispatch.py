"""Functions as commands: every row of the table of options, help, and mistakes in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from oneleap.core.cli.dispatch import (
    ByDomain,
    Command,
    Commands,
    Forward,
    Group,
    call,
    parser_of,
    run,
)
from oneleap.core.errors import InputError

EXTRAS = {"rl": ("gymnasium",), "export": ("onnx",)}
CALLS: list[tuple[Any, ...]] = []
"""Arguments of the calls of the functions below."""


def options(
    run: Path,
    text: str | None = None,
    /,
    steps: int = 1,
    fast: bool = False,
    slow: bool = True,
    weight: list[str] | None = None,
    from_: float = 0.0,
    out: Path | None = None,
    file: Path = Path("a.txt"),
    long_name: str = "x",
) -> None:
    """Do everything that an option can ask for.

    Example: oneleap options RUN --steps 3

    Args:
        run: Folder of a run.
        text: Text to use.
        steps: Number of steps,
            over two lines.
        fast: Whether to hurry.
        slow: Whether to wait.
        weight: Weight that may be
            repeated.
        from_: Start in seconds.
        out: File to write.
        file: File to read.
        long_name: Name.
    """
    CALLS.append((run, text, steps, fast, slow, weight, from_, out, file, long_name))


def status() -> int:
    """Return a status."""
    return 3


def refuse() -> None:
    """Refuse.

    Example: oneleap refuse
    """
    raise InputError("the field is wrong: mend it")


def missing(name: str) -> None:
    """Import what is not there."""
    raise ModuleNotFoundError(name=name)


def unwritable() -> None:
    """Write where nothing can be written."""
    raise PermissionError(13, "Permission denied", "/sealed/file")


def nameless() -> None:
    """Fail without a file."""
    raise OSError("a bug")


def interrupt() -> None:
    """Press Ctrl-C."""
    raise KeyboardInterrupt


def forwarded(name: str, argv: list[str]) -> int:
    """Parse the arguments itself."""
    CALLS.append((name, list(argv)))
    return 4


def evaluate(run: Path, episodes: int = 1) -> int:
    """Evaluate a model.

    Example: oneleap evaluate RUN

    Args:
        run: Folder.
        episodes: Episodes.
    """
    CALLS.append((run, episodes))
    return 5


def here(function: Callable[..., Any]) -> str:
    return f"{__name__}:{function.__name__}"


COMMANDS: Commands = {
    "options": Command("all options", here(options)),
    "status": Command("a status", here(status)),
    "refuse": Command("refuses", here(refuse)),
    "missing": Command("needs a library", here(missing)),
    "unwritable": Command("cannot write", here(unwritable)),
    "nameless": Command("fails", here(nameless)),
    "interrupt": Command("is interrupted", here(interrupt)),
    "group": Group("several", {"one": here(status), "two": here(refuse)}),
    "grown": Group("was one", {"one": here(status)}, former="one"),
    "fit": Forward("forwards", here(forwarded)),
    "evaluate": ByDomain(
        "by domain", {"rl": here(evaluate), "robot": f"{__name__}_nowhere:evaluate"}
    ),
}
DEFAULTS = (Path("r"), None, 1, False, True, None, 0.0, None, Path("a.txt"), "x")


@pytest.fixture(autouse=True)
def no_calls() -> None:
    CALLS.clear()


def execute(*argv: str) -> int:
    return run(COMMANDS, EXTRAS, argv)


# Options: the rows of the table.


def with_value(index: int, value: object) -> tuple[object, ...]:
    return (*DEFAULTS[:index], value, *DEFAULTS[index + 1 :])


@pytest.mark.parametrize(
    ("argv", "index", "value"),
    [
        ([], 0, Path("r")),
        (["hello"], 1, "hello"),
        (["--steps", "3"], 2, 3),
        (["--steps=3"], 2, 3),
        (["--fast"], 3, True),
        (["--slow", "false"], 4, False),
        (["--weight", "a"], 5, ["a"]),
        (["--weight", "a", "--weight", "b"], 5, ["a", "b"]),
        (["--weight=1"], 5, ["1"]),
        (["--from", "2.5"], 6, 2.5),
        (["--out", "o.wav"], 7, Path("o.wav")),
        (["-o", "o.wav"], 7, Path("o.wav")),
        (["--file", "b.txt"], 8, Path("b.txt")),
        (["-f", "b.txt"], 8, Path("b.txt")),
        (["--long_name", "y"], 9, "y"),
        (["--long-name", "y"], 9, "y"),
        (["--long-name=a-b"], 9, "a-b"),
        (["--long-name", "--a-b 1 --c-d"], 9, "--a-b 1 --c-d"),
        (["--long-name", "--a-b 1 --c-d=2"], 9, "--a-b 1 --c-d=2"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_each_kind_of_parameter_is_an_option(argv: list[str], index: int, value: object) -> None:
    assert execute("options", "r", *argv) == 0
    assert [with_value(index, value)] == CALLS


def test_help_has_the_description_the_example_and_every_option(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as done:
        execute("options", "--help")
    assert done.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "usage: oneleap options" in text
    assert "Do everything that an option can ask for." in text
    assert "Example: oneleap options RUN --steps 3" in text
    for part in (
        "Folder of a run.",
        "Number of steps, over two lines.",
        "Weight that may be repeated.",
        "-o OUT, --out OUT",
        "--from FROM",
    ):
        assert part in text


def test_a_parser_knows_the_defaults() -> None:
    defaults = parser_of(options, "options").get_defaults(skip_validation=True)
    assert (defaults.steps, defaults.fast, defaults["from"]) == (1, False, 0.0)


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "run is missing"),
        (["r", "--stpes", "3"], "no option 'stpes'; did you mean 'steps'?"),
        (["r", "--steps", "three"], "steps: expected int, not 'three'"),
        (["r", "a", "b"], "no option 'b'"),
        (["r", "--step", "3"], "no option 'step'; did you mean 'steps'?"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_wrong_argument_is_named_with_the_way_to_help(argv: list[str], complaint: str) -> None:
    with pytest.raises(InputError) as caught:
        call(here(options), "options", argv)
    assert str(caught.value).startswith(complaint)
    assert str(caught.value).endswith("(oneleap options --help)")
    assert not CALLS


# Commands of all kinds.


def complain(capsys: pytest.CaptureFixture[str], *argv: str) -> str:
    assert execute(*argv) == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1
    return err.removeprefix("oneleap: ").strip()


def test_a_function_may_return_its_status() -> None:
    assert execute("status") == 3
    assert execute("group", "one") == 3
    assert execute("interrupt") == 130


def test_help_lists_the_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute() == execute("--help") == execute("-h") == execute("help") == 0
    text = capsys.readouterr().out
    for name, command in COMMANDS.items():
        assert text.count(f"  {name} ") == 4
        assert command.help in text


def test_a_group_lists_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute("group", "--help") == 0
    assert execute("group") == 2
    assert capsys.readouterr().out.count("{one,two}") == 2


def test_a_forwarded_command_gets_its_name_and_arguments() -> None:
    assert execute("fit", "--config", "a", "--b=c") == 4
    assert CALLS == [("fit", ["--config", "a", "--b=c"])]


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        (["statsu"], "no command 'statsu'; did you mean 'status'? (oneleap --help)"),
        (["group", "tow"], "no command 'group tow'; did you mean 'two'?"),
        (["group", "xyz"], "no command 'group xyz': one, two"),
        (["grown", "a b", "c"], "grown: has subcommands now: oneleap grown one 'a b' c"),
        (["grown", "x"], "no command 'grown x': one"),
        (["refuse"], "the field is wrong: mend it"),
        (["missing", "gymnasium.envs"], "gymnasium is not installed: pip install 'oneleap[rl]'"),
        (["unwritable"], "/sealed/file: Permission denied"),
        (["evaluate"], "name the run first: oneleap evaluate runs/CONFIG/TIME"),
        (["evaluate", "--episodes", "3"], "name the run first: oneleap evaluate runs/CONFIG/TIME"),
        (["evaluate", "nowhere"], "nowhere: no such folder"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_one_line(
    argv: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complain(capsys, *argv).startswith(complaint)


def test_bugs_are_not_hidden() -> None:
    with pytest.raises(OSError, match="a bug"):
        execute("nameless")
    with pytest.raises(ModuleNotFoundError):
        execute("missing", "some_module_of_nobody")


def model_of(folder: Path, class_path: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"class_path": class_path, "init_args": {}}))
    return folder


@pytest.mark.parametrize("old", [False, True], ids=["face", "file"])
def test_a_model_finds_its_domain(tmp_path: Path, old: bool) -> None:
    path = "oneleap.domains.rl.ofql.OFQL" if old else "oneleap.domains.rl.OFQL"
    model_of(tmp_path / "model", path)
    assert execute("evaluate", str(tmp_path), "--episodes", "7") == 5
    assert execute("evaluate", str(tmp_path / "model")) == 5
    assert [(tmp_path, 7), (tmp_path / "model", 1)] == CALLS


def test_a_shipped_model_is_found_by_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model_of(tmp_path / "models" / "anna" / "inner", "oneleap.domains.speech.AcousticModel")
    monkeypatch.setattr("oneleap.core.hub.registry.files", lambda package: tmp_path)
    monkeypatch.chdir(tmp_path)
    shipped = {"rl": ("any", "models", "inner")}
    commands = {"evaluate": ByDomain("", {"rl": here(evaluate)}, shipped)}
    assert run(commands, {}, ["evaluate", "anna", "--episodes", "2"]) == 5
    assert [(Path("anna"), 2)] == CALLS
    assert run(commands, {}, ["evaluate", "ana"]) == 2
    assert "no such model ships; did you mean 'anna'?" in capsys.readouterr().err
    assert run(commands, {}, ["evaluate", "models/none"]) == 2
    assert "runs lie in runs/CONFIG/TIME" in capsys.readouterr().err


def test_a_model_of_no_domain_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model_of(tmp_path / "model", "mypackage.Model")
    line = complain(capsys, "evaluate", str(tmp_path))
    assert "mypackage.Model is not a class of oneleap" in line
    assert "--trusted mypackage" in line


def test_help_of_a_command_by_domain_is_that_of_each_domain(
    capsys: pytest.CaptureFixture[str],
) -> None:
    commands = {
        "evaluate": ByDomain("", {"rl": here(evaluate), "robot": "gymnasium_of_nowhere:evaluate"})
    }
    extras = {"robot": ("gymnasium_of_nowhere",)}
    assert run(commands, extras, ["evaluate", "--help"]) == 0
    text = capsys.readouterr().out
    first, second = text.split("--- models of the domain ")[1:]
    assert first.startswith("rl\n")
    assert "Example: oneleap evaluate RUN" in first
    assert second.startswith("robot\n")
    assert "gymnasium_of_nowhere is not installed: pip install 'oneleap[robot]'" in second
