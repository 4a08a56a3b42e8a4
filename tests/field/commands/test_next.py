"""Lines that say what to do next can be copied into a shell, and work."""

import ast
import importlib
import inspect
import shlex
from pathlib import Path
from typing import Any

import pytest
from support.tiny import CONFIG, complain
from support.tiny_music import model as music_model

from oneleap.core.cli.advice import after_training, example_line, next_line, shell_line
from oneleap.core.cli.dispatch import ByDomain, Command, Forward, Group, parser_of
from oneleap.core.cli.parse import parse_fit
from oneleap.core.hub.pretrained import Pretrained
from oneleap.core.hub.trust import user_packages
from oneleap.domains.main import COMMANDS, main

ROOT = Path(__file__).parents[3]
CODE = [p for top in ("core", "domains") for p in sorted((ROOT / top).rglob("*.py"))]
VALUES: dict[str, Any] = {
    "NEW_EPISODES": 1_000_000,
    "config": "robot/dm1_lift",
    "folder": Path("a run/model"),
    "hdf5": Path("my data.hdf5"),
    "out": Path("my data"),
    "path": Path("my data.hdf5"),
    "plan.episodes": 20,
    "run": Path("a run"),
    "task": "cube-double-singletask-task1-v0",
}
"""Values of what lines name; a line with other names needs an entry here."""


def parse(line: str) -> None:
    """Check that a printed command exists and knows its options."""
    said, program, name, *words = shlex.split(line)
    assert (said, program) == ("next:", "oneleap")
    command = COMMANDS[name]
    if isinstance(command, Forward):
        assert name == "fit"
        parse_fit(words)
        return
    if isinstance(command, Group):
        targets, words = [command.commands[words[0]]], words[1:]
    elif isinstance(command, Command):
        targets = [command.target]
    else:
        assert isinstance(command, ByDomain)
        targets = list(command.domains.values())
    parsed = 0
    for target in targets:
        module, _, function = target.partition(":")
        parser = parser_of(getattr(importlib.import_module(module), function), name)
        try:
            parser.parse_args(words)
        except Exception:
            continue
        parsed += 1
    assert parsed, line


def lines_in_code() -> list[tuple[str, list[object]]]:
    """The arguments of each call of ``next_line`` that has no starred argument, by its place."""
    found = []
    for file in CODE:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "next_line"):
                continue
            words = [word for word in node.args if not isinstance(word, ast.Starred)]
            if words:
                names = {name.replace(".", "_"): value for name, value in VALUES.items()}
                code = (
                    f"[{', '.join(ast.unparse(word).replace('plan.', 'plan_') for word in words)}]"
                )
                found.append((f"{file.relative_to(ROOT)}:{node.lineno}", eval(code, names)))
    return found


def test_lines_are_made_by_one_function() -> None:
    """No other text says what is next, so the tests below see all of it."""
    advice = ROOT / "core/cli/advice.py"
    others = [p for p in CODE if '"next: ' in p.read_text(encoding="utf-8") and p != advice]
    assert not others


@pytest.mark.parametrize(
    ("place", "words"), lines_in_code(), ids=lambda v: v if isinstance(v, str) else ""
)
def test_every_line_parses(place: str, words: list[object]) -> None:
    line = next_line(*words)
    assert shlex.split(line)[2:] == [str(word) for word in words]
    parse(line)


def models() -> list[type[Pretrained]]:
    """All public classes whose training says what is next."""
    names = [f"oneleap.domains.{d}" for d in ("rl", "robot", "speech", "singing", "music", "audio")]
    found: dict[type[Pretrained], None] = {}
    for module in map(importlib.import_module, names):
        for name in module.__all__:
            try:
                value = getattr(module, name)
            except ModuleNotFoundError:
                continue
            if inspect.isclass(value) and issubclass(value, Pretrained):
                found |= {kind: None for kind in value.__mro__ if "next_step" in vars(kind)}
    return [kind for kind in found if kind is not Pretrained]


@pytest.mark.parametrize("kind", models(), ids=lambda kind: kind.__name__)
def test_what_follows_a_training_parses(kind: type[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Anything:
        def __getattr__(self, name: str) -> "Anything":
            return Anything()

    model: Any = Anything()
    words = kind.next_step(model, "a run")
    if words is not None:
        parse(next_line(*words))


def test_there_are_such_models() -> None:
    assert len(models()) >= 8
    assert len(lines_in_code()) >= 6


def test_lines_of_mazes_parse() -> None:
    from oneleap.domains.rl.commands.collect_pointmaze import _next_command

    for maze in ("umaze", "medium", "large"):
        for path in (f"oneleap/pointmaze-{maze}-v0", "my data/maze"):
            parse(_next_command(maze, path))


def test_own_packages_are_named_again() -> None:
    assert shell_line("evaluate", Path("a b")) == "oneleap evaluate 'a b'"
    with user_packages(("support",), ("support",)):
        line = next_line("evaluate", "a b")
    assert line == "next: oneleap evaluate 'a b' --import support --trusted support"


def test_examples_are_found_from_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    line = example_line("robot_loop.py", "a run")
    assert line is not None
    _, python, script, run = shlex.split(line)
    assert (python, run) == ("python", "a run")
    assert Path(script).is_file()
    assert example_line("nothing.py") is None


def test_a_music_model_is_heard_as_the_line_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    model = music_model()
    model.save_pretrained("a run/model")
    words = shlex.split(after_training(model, Path("a run")))[2:]
    assert main([*words, "--steps", "1", "--seconds", "2"]) == 0
    assert Path("music.wav").is_file()


def test_without_an_environment_nothing_is_evaluated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from support.tiny_rl import ALGORITHMS, SPEC

    monkeypatch.chdir(tmp_path)
    policy = ALGORITHMS["ofql"](SPEC)
    assert SPEC.task is None
    policy.save_pretrained("a run/model")
    assert after_training(policy, Path("a run")) == "model: a run/model"


def test_a_run_without_a_model_says_how_to_finish_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(CONFIG)
    assert main(["fit", "--config", "tiny.yaml", "--run", "a run"]) == 0
    for file in Path("a run/model").iterdir():
        file.unlink()
    capsys.readouterr()
    line = complain(capsys, "evaluate 'a run'")
    advice = line.partition("finish it with ")[2]
    assert shlex.split(advice)[0] == "oneleap"
    assert main([*shlex.split(advice)[1:], "--trainer.max_steps", "45"]) == 0
    assert Path("a run/model/config.json").is_file()
