"""Wheel and sdist build, install and work anywhere; each extra works with nothing beside it.

Commands run in a process of their own: outside the clone, from an installed wheel in a folder
that cannot be written, in a current folder that cannot be written, without HOME, in the locale C.
"""

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest
from support.packaging.alone import closure, write_environment

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SOURCES = ("core", "domains", "configs", "pyproject.toml", "README.md", "LICENSE", "CITATION.cff")
MAIN = "import sys; from oneleap.domains.main import main; sys.exit(main())"

BUILD = """import os, sys
from setuptools import build_meta
os.chdir(sys.argv[1])
print(getattr(build_meta, "build_" + sys.argv[2])(sys.argv[3]))
"""
"""Program that builds a wheel or a sdist, as pip does."""

COMMANDS = {
    "rl": ("evaluate", "pointmaze-umaze", "--episodes", "1", "--horizon", "20"),
    "speech": ("speak", "Caf\u00e9 \u2014 na\u00efve.", "-o", "{out}/a.wav"),
    "singing": ("sing", str(ROOT / "examples" / "sakura.musicxml"), "-o", "{out}/a.wav"),
    "music": (
        "compose",
        "--intensity",
        "rise",
        "--seconds",
        "2",
        "--steps",
        "5",
        "-o",
        "{out}/a.wav",
    ),
    "export": ("export", "pointmaze-umaze"),
}
"""A command of each extra."""

LIBRARY = {"rl": "mujoco", "speech": "soundfile", "singing": "pyopenjtalk", "music": "mido"}
"""A library that each of these extras brings."""


def build(kind: str, source: Path, out: Path) -> Path:
    """Build a wheel or a sdist of a folder."""
    out.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", BUILD, str(source), kind, str(out)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SETUPTOOLS_USE_DISTUTILS": "local"},
    )
    assert done.returncode == 0, done.stderr
    return out / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a package is built from."""
    folder = tmp_path_factory.mktemp("clone")
    for name in SOURCES:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def sdist(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", clone, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that is built from the sdist."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel unpacked into a folder that cannot be written, which is all that pip does."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    return folder


def locked() -> str:
    """A current folder that not even root can write."""
    return "/sys" if Path("/sys").is_dir() else "/"


def run(
    installed: Path,
    tmp_path: Path,
    extras: tuple[str, ...] | None,
    *words: str,
    text: bytes = b"",
    cwd: Path | None = None,
) -> "subprocess.CompletedProcess[bytes]":
    """Run a command of the installed wheel, with some extras only, or with all that is there."""
    paths = [str(installed)]
    if extras is not None:
        paths.insert(0, str(write_environment(tmp_path / "-".join(("env", *extras)), extras)))
    drop = ("HOME", "LANG", "LANGUAGE", "LC_CTYPE", "PYTHONIOENCODING", "XDG_CACHE_HOME")
    environment = {k: v for k, v in os.environ.items() if k not in drop}
    environment |= {
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONDONTWRITEBYTECODE": "1",  # root could write into the installed folder
        "PYTHONPATH": os.pathsep.join(paths),
        "TMPDIR": str(tmp_path),
    }
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        input=text,
        capture_output=True,
        check=False,
        cwd=cwd or locked(),
        env=environment,
    )


def test_the_wheel_of_the_sdist_is_the_wheel_of_the_clone(
    clone: Path, wheel: Path, tmp_path: Path
) -> None:
    direct = build("wheel", clone, tmp_path / "wheel")
    assert direct.name == wheel.name
    with zipfile.ZipFile(direct) as one, zipfile.ZipFile(wheel) as two:
        assert sorted(one.namelist()) == sorted(two.namelist())
        for name in one.namelist():
            if ".dist-info/RECORD" not in name:
                assert one.read(name) == two.read(name), name


def test_commands_run_from_the_installed_wheel(installed: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    code = "import oneleap.core, oneleap.domains; print(oneleap.core.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stdout.startswith(str(installed))


@pytest.mark.parametrize("words", [("--version",), ("--help",), ("configs",), ("methods",)])
def test_the_core_alone_answers(words: tuple[str, ...], installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, (), *words)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout
    assert b"Traceback" not in done.stderr


def test_the_core_alone_says_what_is_missing(installed: Path, tmp_path: Path) -> None:
    done = run(installed, tmp_path, (), "doctor", "--json")
    found = json.loads(done.stdout)
    states = {finding["name"]: finding["state"] for finding in found["findings"]}
    assert states["locale"] == "note"
    assert states["shipped: voice"] == states["torch"] == "ok"
    assert states["extra rl"] == states["extra speech"] == "missing"
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize("extra", LIBRARY)
def test_the_core_alone_names_the_extra_of_a_command(
    extra: str, installed: Path, tmp_path: Path
) -> None:
    words = [word.format(out=tmp_path) for word in COMMANDS[extra]]
    done = run(installed, tmp_path, (), *words)
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 2, lines
    assert len(lines) == 1
    assert "pip install 'oneleap[" in lines[0]
    assert not [path for path in tmp_path.rglob("*.wav")]


@pytest.mark.parametrize("extra", COMMANDS)
def test_an_extra_alone_is_enough(extra: str, installed: Path, tmp_path: Path) -> None:
    if (library := LIBRARY.get(extra, "onnx")) and find_spec(library) is None:
        pytest.skip(f"needs {library}")
    out = tmp_path / "out"
    out.mkdir()
    words = [word.format(out=out) for word in COMMANDS[extra]]
    where = out if extra in ("rl", "export") else None  # they write into the current folder
    done = run(installed, tmp_path, (extra,), *words, cwd=where)
    assert done.returncode == 0, done.stderr.decode()
    assert list(out.rglob("*.*"))


def test_text_is_read_as_utf_8_in_any_locale(installed: Path, tmp_path: Path) -> None:
    pytest.importorskip("soundfile")
    text = "Caf\u00e9 \u2014 na\u00efve."
    given = run(installed, tmp_path, None, "speak", text, "-o", str(tmp_path / "given.wav"))
    piped = run(
        installed, tmp_path, None, "speak", "-", "-o", f"{tmp_path}/piped.wav", text=text.encode()
    )
    assert given.returncode == piped.returncode == 0, piped.stderr.decode()
    assert (tmp_path / "given.wav").read_bytes() == (tmp_path / "piped.wav").read_bytes()


def test_the_core_requires_no_library_of_a_domain() -> None:
    core = closure("oneleap", ())
    assert {"torch", "lightning", "safetensors"} <= core
    assert not core & {"gymnasium", "mujoco", "librosa", "soundfile", "mido", "onnx", "gradio"}
