"""Every page keeps its word: its commands and its Python run, its links and targets exist.

A page runs from top to bottom in a folder of its own, its Python in one namespace. Commands get the
fast options of :data:`FAST`. Data that a page assumes are made tiny, see :data:`MADE`. In a page:

======================  ===========================================================================
``title="file.yaml"``   of a code block: the block is written to that file, and not run
``runs/.../TIME``       the newest run in that folder
``<!-- not run: why -->``   before a block: its commands are parsed, its Python is compiled
``<!-- needs: name -->``    before a block: it runs where that module or program is installed
======================  ===========================================================================
"""

import importlib
import importlib.util
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from argparse import ArgumentError
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import dropwhile
from pathlib import Path
from typing import Any

import matplotlib.pyplot
import pytest

from oneleap.core.cli.dispatch import Command, Forward, Group, parser_of
from oneleap.domains.main import COMMANDS, main

ROOT = Path(__file__).parents[1]
FILES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PAGES = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in FILES}

PARSED = ("docs/benchmarks/", "docs/notes/")
"""Pages whose commands reproduce measurements of hours: they are parsed, and not run."""

SLOW = (
    "docs/development.md",
    "docs/howto/export.md",
    "docs/quickstart/music.md",
    "docs/quickstart/song.md",
    "docs/quickstart/voice.md",
)
"""Pages that take more than 20 s; their commands are parsed by a fast test as well."""

FIT = "--trainer.max_steps 3 --trainer.accelerator cpu --trainer.log_every_n_steps 1"
FAST = {
    "fit": FIT,
    "fit .*--ckpt_path": "--trainer.max_steps 5",
    "fit --config runs/.*--ckpt_path": "--trainer.max_steps 7",
    "fit .*--config (rl|robot)/": "--model.recipe.compile false",
    "fit .*--config audio/": "--data.batch_size 2 --data.seconds 0.3",
    "fit .*--config (speech|singing|music)/": "--data.batch_size 8",
    "evaluate runs/(speech|singing)": "--limit 1",
    "evaluate composers": "--controls [intensity] --targets 2 --seeds 1 --steps 1 --seconds 2",
    "compose ": "--steps 2",
    "bench core": "--budget 20 --workers 1 --batch 64 --sets spiral --compile_loss false",
    "bench startup": "--rounds 1",
    "pairs ": "--batches 2 --steps 2",
    "collect pointmaze": "--steps 3000",
    "collect random": "--steps 300 --workers 1",
    "collect robosuite": "--demos 3 --workers 1 --overwrite",
    "evaluate pointmaze": "--episodes 2 --video false",
    "evaluate runs/rl": "--episodes 2 --video false",
    "evaluate runs/robot": "--rollouts 2 --workers 1 --horizon 20 --video false",
    "export": "",
}
"""Options by what a command's line begins with; all that match are appended, in this order."""

MADE = {
    "data/robot/Lift.hdf5": "pages.write_lift",
    "data/singing": "tiny_singing.write_corpus",
    "data/tunes": "pages.write_tunes",
    "data/held-out": "pages.write_tunes",
    "data/LJSpeech-1.1": "pages.write_ljspeech",
}
"""Data that pages assume, by path: they are made where a page names the path."""

HEAD = r"(?:<!-- (not run|needs): ([^>]+?) -->\s*\n)?"
BLOCK = re.compile(rf'{HEAD}```(\w*)(?: title="([^"]+)")?\n(.*?)```', re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A block of code in a page."""

    page: str
    line: int
    language: str
    title: str
    text: str
    mark: str
    reason: str

    @property
    def runs(self) -> bool:
        if self.mark == "needs":
            return bool(importlib.util.find_spec(self.reason) or shutil.which(self.reason))
        return self.mark != "not run"

    @property
    def commands(self) -> list[list[str]]:
        if self.language != "sh":
            return []
        lines = self.text.replace("\\\n", " ").splitlines()
        split = [shlex.split(line, comments=True) for line in lines]
        return [drop_environment(argv) for argv in split if argv]


def drop_environment(argv: list[str]) -> list[str]:
    """Leave out ``NAME=value`` before a program."""
    return list(dropwhile(lambda word: re.match(r"[A-Z_]+=", word), argv))


def blocks(page: str) -> Iterator[Block]:
    text = PAGES[page]
    for found in BLOCK.finditer(text):
        mark, reason, language, title, code = (group or "" for group in found.groups())
        line = text.count("\n", 0, found.start(5)) + 1
        yield Block(page, line, language, title, code, mark, reason)


def runnable(page: str) -> bool:
    whole = any(block.language in ("sh", "python") for block in blocks(page))
    return whole and not page.startswith(PARSED)


def marked(pages: list[str]) -> list[Any]:
    return [pytest.param(p, marks=pytest.mark.slow if p in SLOW else ()) for p in pages]


@pytest.fixture(scope="session")
def minari(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of data sets with those of one small maze."""
    pytest.importorskip("minari")
    folder = tmp_path_factory.mktemp("minari")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MINARI_DATASETS_PATH", str(folder))
        assert main(["collect", "pointmaze", *FAST["collect pointmaze"].split()]) == 0
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """An empty folder in which a page runs."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(matplotlib.pyplot, "show", lambda: None)
    monkeypatch.setenv("MINARI_DATASETS_PATH", str(tmp_path / "minari"))
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    page = request.node.callspec.params["page"]
    text = PAGES[page]
    if runnable(page) and "pointmaze-umaze" in text and "collect pointmaze" not in text:
        shutil.copytree(request.getfixturevalue("minari"), tmp_path / "minari")
    for name, make in MADE.items():
        if name in text:
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            module, _, function = make.partition(".")
            getattr(importlib.import_module(f"support.{module}"), function)(Path(name))
    return tmp_path


def resolve(text: str) -> str:
    """Replace each ``runs/CONFIG/TIME`` by the newest run."""

    def newest(found: re.Match[str]) -> str:
        runs = sorted(Path(found[1]).glob("*"), key=lambda p: p.stat().st_mtime)
        assert runs, f"{found[0]}: there is no run"
        return str(runs[-1])

    return re.sub(r"\b(runs/[\w./+-]+?)/TIME\b", newest, text)


def run(argv: list[str], where: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Run one command of a page in its fast form."""
    program, *rest = argv
    if program in ("make", "pip"):
        parse(argv, where)
    elif program == "python":
        script, *options = rest
        quick = ["--fast"] if "--fast" in Path(script).read_text(encoding="utf-8") else []
        own_process([script, *map(resolve, options), *quick])
    else:
        assert program == "oneleap", f"{where}: no way to run {program}"
        line = " ".join(rest)
        fast = [options for pattern, options in FAST.items() if re.match(pattern, line)]
        given = [resolve(part) for part in rest] + shlex.split(" ".join(fast))
        if rest[0] == "export" or rest[:2] == ["bench", "core"]:
            own_process(["-m", "oneleap.domains.main", *given])
            return
        status, printed = main(given), capsys.readouterr()
        missing = re.match(r"oneleap: (\w+) is not installed: pip install", printed.err)
        if missing is None or importlib.util.find_spec(missing[1]) is not None:
            assert status == 0, f"{where}: oneleap {shlex.join(given)}\n{printed.err}"


def own_process(argv: list[str]) -> None:
    """Run Python apart: graphs are captured without the checks of shapes of this test run."""
    done = subprocess.run([sys.executable, *argv], text=True, capture_output=True)
    assert done.returncode == 0, f"{shlex.join(argv)}\n{done.stdout}\n{done.stderr}"


def parse(argv: list[str], where: str) -> None:
    """Check that a command exists and knows its options, without running it."""
    program, *rest = argv
    if program == "make":
        targets = [word for word in rest if "=" not in word]
        makefile = (ROOT / "Makefile").read_text()
        known = re.findall(r"^([a-z-]+):", makefile, re.MULTILINE)
        assert set(targets) <= set(known), f"{where}: {argv}"
    elif program == "pip":
        project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
        named = re.findall(r"\[([\w,-]+)\]", " ".join(rest))
        extras = {extra for names in named for extra in names.split(",")}
        assert extras <= set(project["optional-dependencies"]), f"{where}: {argv}"
    elif program == "python":
        assert Path(rest[0]).is_file(), f"{where}: {argv}"
    else:
        assert program == "oneleap", f"{where}: no way to run {program}"
        parse_oneleap(rest, where)


def parse_oneleap(argv: list[str], where: str) -> None:
    """Parse a command of oneleap; one on a trained model has to suit the models of a domain."""
    name, *rest = argv
    command = COMMANDS[name]
    if isinstance(command, Forward):
        with pytest.raises(SystemExit) as done:
            main([*argv, "--print_config"])
        assert not done.value.code, f"{where}: {shlex.join(argv)}"
        return
    if isinstance(command, Group):
        targets, rest = [command.commands[rest[0]]], rest[1:]
    elif isinstance(command, Command):
        targets = [command.target]
    else:  # of one domain, if the path tells which
        domain = rest[0].removeprefix("runs/").partition("/")[0]
        targets = (
            [command.domains[domain]] if domain in command.domains else [*command.domains.values()]
        )
    options = [re.sub("^--[^=]+", lambda o: "--" + o[0][2:].replace("-", "_"), a) for a in rest]
    errors = []
    for target in targets:
        module, _, function = target.partition(":")
        try:
            parser_of(getattr(importlib.import_module(module), function), name).parse_args(options)
            return
        except ModuleNotFoundError as error:
            errors.append(f"{error.name} is not installed")
        except ArgumentError as error:
            errors.append(str(error))
    if not all(error.endswith("is not installed") for error in errors):
        raise AssertionError(f"{where}: {shlex.join(argv)}: {errors}")


@pytest.mark.parametrize("page", marked([page for page in PAGES if runnable(page)]))
def test_a_page_runs(page: str, here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names: dict[str, Any] = {"__name__": "__page__"}
    for block in blocks(page):
        where = f"{page}:{block.line}"
        if block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            code = compile("\n" * (block.line - 1) + resolve(block.text), page, "exec")
            if block.runs:
                exec(code, names)
        else:
            for command in block.commands:
                if block.runs:
                    run(command, where, capsys)
                else:
                    parse(command, where)


@pytest.mark.parametrize("page", [page for page in PAGES if page in SLOW or not runnable(page)])
def test_the_commands_of_a_page_are_right(page: str, here: Path) -> None:
    for block in blocks(page):
        if block.title:
            Path(block.title).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            compile(block.text, page, "exec")
        for command in block.commands:
            parse([part.replace("/TIME", "/0") for part in command], f"{page}:{block.line}")


def test_pages_have_something_to_run() -> None:
    assert sum(block.language == "python" for page in PAGES for block in blocks(page)) > 20
    assert sum(len(block.commands) for page in PAGES for block in blocks(page)) > 50


def test_what_cannot_run_says_why() -> None:
    marks = [block for page in PAGES for block in blocks(page) if block.mark == "not run"]
    assert all(len(block.reason) > 10 for block in marks)
    assert len(marks) < 15


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_exist(page: str) -> None:
    code = re.findall(r"`(make [a-z-]+)`", PAGES[page])
    for command in code:
        parse(command.split(), page)


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?```|`[^`\n]+`", "", PAGES[page], flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if not re.match(r"https?:|mailto:", target) and "reference/" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_paths_that_pages_name_exist() -> None:
    missing = [
        f"{page}: {path}"
        for page, text in PAGES.items()
        if not page.startswith(PARSED)
        for path in re.findall(r"`((?:core|domains|configs|tests|docs|examples)/[\w./-]+)`", text)
        if not (ROOT / path).exists()
    ]
    assert not missing


def test_every_page_is_in_the_navigation() -> None:
    settings = (ROOT / "docs/.mkdocs/mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r": (\S+\.md)$", settings, re.MULTILINE))
    pages = {page.removeprefix("docs/") for page in PAGES if page.startswith("docs/")}
    assert pages == {page for page in listed if not page.startswith("reference/")}


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    settings = str(ROOT / "docs/.mkdocs/mkdocs.yml")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--config-file", settings]
    env = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(
        [*command, "--site-dir", str(tmp_path)], env=env, text=True, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    assert (tmp_path / "reference/api/core/index.html").is_file()
