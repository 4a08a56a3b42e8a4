"""The command: help at once, mistakes in one line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.tiny import CONFIG, complain

from oneleap.core.cli.dispatch import ByDomain, Command, Group
from oneleap.domains.main import COMMANDS, main

NAMES = [
    f"{name} {sub}" if sub else name
    for name, command in COMMANDS.items()
    if not isinstance(command, ByDomain)
    for sub in (command.commands if isinstance(command, Group) else ("",))
]
"""Commands that are one function, with their groups."""

assert isinstance(COMMANDS, dict)
TABLE: dict[str, Any] = COMMANDS
DOMAINS = ["rl", "robot", "speech", "singing", "music", "audio"]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return tmp_path


# Help


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {name} " in text for name in COMMANDS)
    assert main([]) == 0
    assert capsys.readouterr().out == text


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\n"
        "from oneleap.domains.main import main\n"
        "main(['--help'])\n"
        "heavy = {'torch', 'numpy', 'lightning', 'jsonargparse', 'gymnasium', 'yaml'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "main(['configs'])\n"
        "heavy -= {'jsonargparse', 'yaml'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("name", NAMES)
def test_every_command_helps_with_an_example(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("gymnasium")
    with pytest.raises(SystemExit) as done:
        main([*name.split(), "--help"])
    assert done.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert f"Example: oneleap {name}" in text


@pytest.mark.parametrize("name", ["evaluate", "export"])
def test_commands_on_runs_have_the_help_of_every_domain(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([name, "--help"]) == 0
    helps = capsys.readouterr().out.split("--- models of the domain ")[1:]
    assert [text.split()[0] for text in helps] == DOMAINS
    for text in (" ".join(text.split()) for text in helps):
        assert f"Example: oneleap {name} " in text or "is not installed: pip install" in text


@pytest.mark.parametrize("group", ["collect", "bench"])
def test_a_group_lists_its_commands(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = COMMANDS[group]
    assert isinstance(command, Group)
    assert main([group, "--help"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in command.commands)
    assert main([group]) == 2


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "oneleap 0.1.0\n"


# Mistakes


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("fitt", "no command 'fitt'; did you mean 'fit'?"),
        ("colect pointmaze", "did you mean 'collect'?"),
        ("collect pointmace", "no command 'collect pointmace'; did you mean 'pointmaze'?"),
        ("bench zzz", "no command 'bench zzz': all, core, startup, rl"),
        ("xyzzy", "no command 'xyzzy' (oneleap --help)"),
        ("configs rl", "no option 'rl'"),
        ("evaluate", "name the run first"),
        ("evaluate nowhere", "nowhere: no such folder"),
        ("evaluate .", ". holds no model: config.json is missing"),
        ("fit --config rl/ofql_pointmace-umaze", "did you mean 'rl/ofql_pointmaze-umaze'?"),
        ("fit", "data, model are missing; name a configuration: --config NAME"),
        ("fit --config tiny.yaml --data.pth x", "no option 'data.pth'; did you mean 'data.path'?"),
        ("fit --config tiny.yaml --data.path nowhere", "nowhere: no such data"),
        (
            "fit --config tiny.yaml --trainer.max_steps=-1",
            "no length of training: set --trainer.max_steps N",
        ),
        ("fit --config tiny.yaml --trainer.max_step=3", "did you mean 'trainer.max_steps'?"),
        ("fit --config tiny.yaml --trainer.accelerator=abacus", "trainer: You selected an invalid"),
        ("fit --config tiny.yaml --model.objective=MenFlow", "did you mean 'MeanFlow'?"),
        ("fit --config tiny.yaml --checkpoints.every_n_steps=0", "every_n_steps must be positive"),
        (
            "fit --config tiny.yaml --ckpt_path last",
            "no run in runs/tiny has checkpoints/last.ckpt",
        ),
        ("fit --config tiny.yaml --ckpt_path a.ckpt", "nothing to resume: a.ckpt is missing"),
        ("fit --config tiny.yaml --ckpt_path last --run x", "x/checkpoints/last.ckpt is missing"),
    ],
)
def test_a_mistake_is_one_line(
    line: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint in complain(capsys, line)


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("path: here", "pth: here", "no option 'data.pth'; did you mean 'data.path'?"),
        ("max_steps: 40", "max_steps: forty", "trainer.max_steps: expected int, not 'forty'"),
        ("max_steps", "max_stepz", "no option 'trainer.max_stepz'; did you mean"),
        ("support.tiny.Shrink", "support.tiny.Shrank", "model: no class 'Shrank'"),
        ("{max", "{{max", "damaged, or not YAML"),
    ],
)
def test_a_bad_file_is_named(
    old: str, new: str, complaint: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "tiny.yaml").write_text(CONFIG.replace(old, new))
    line = complain(capsys, "fit --config tiny.yaml")
    assert line.startswith("tiny.yaml: ")
    assert complaint in line


def needy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Make ``oneleap demo`` a function with the given body."""
    (tmp_path / "needy_command.py").write_text(
        'def run(n: int = 1) -> int | None:\n    """Do.\n\n    Example: oneleap demo\n    """\n'
        f"    {body}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "needy_command", raising=False)
    monkeypatch.setitem(TABLE, "demo", Command("", "needy_command:run"))


@pytest.mark.parametrize(
    ("module", "extra"),
    [("gymnasium", "rl"), ("h5py", "rl"), ("minari.storage", "rl"), ("onnx", "export")],
)
def test_a_missing_dependency_names_its_extra(
    module: str,
    extra: str,
    here: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    needy(here, monkeypatch, f"raise ModuleNotFoundError(name={module!r})")
    top = module.partition(".")[0]
    assert complain(capsys, "demo") == f"{top} is not installed: pip install 'oneleap[{extra}]'"


def test_a_missing_module_of_nobody_is_a_bug(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    needy(here, monkeypatch, "raise ModuleNotFoundError(name='oneleap.core.nothing')")
    with pytest.raises(ModuleNotFoundError):
        main(["demo"])


def test_functions_get_their_options(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needy(here, monkeypatch, "return 40 + n")
    assert main(["demo", "--n", "2"]) == 42
    assert "no option 'm'" in complain(capsys, "demo --m 2")
    assert "n: expected int, not 'x'" in complain(capsys, "demo --n x")
    needy(here, monkeypatch, "raise KeyboardInterrupt")
    assert main(["demo"]) == 130


def test_evaluate_asks_the_domain_of_the_model(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    needy(here, monkeypatch, "")
    (here / "needy_command.py").write_text(
        "from pathlib import Path\n"
        "def run(run: Path, episodes: int = 1) -> int:\n"
        '    """Do."""\n'
        "    return 10 * episodes + (run / 'model').is_dir()\n"
    )
    by_domain = ByDomain("", dict.fromkeys(DOMAINS, "needy_command:run"))
    monkeypatch.setitem(TABLE, "evaluate", by_domain)
    model = here / "some" / "model"
    model.mkdir(parents=True)
    (model / "config.json").write_text(
        json.dumps({"class_path": "oneleap.domains.rl.algorithms.ofql.OFQL"})
    )
    assert main(["evaluate", "some", "--episodes", "4"]) == 41
    assert main(["evaluate", "some/model", "--episodes", "4"]) == 40
    (model / "config.json").write_text(json.dumps({"class_path": "elsewhere.Model"}))
    assert "elsewhere.Model is not a class of oneleap" in complain(capsys, "evaluate some")
    (model / "config.json").write_text(json.dumps({"class_path": "support.tiny.Shrink"}))
    assert "no domain of oneleap can evaluate a support.tiny.Shrink" in complain(
        capsys, "evaluate some --trusted support"
    )
