"""What is installed is what is in the folders, and the core needs no domain's libraries."""

import ast
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCES = ("core", "domains", "configs")
MODULES = sorted(path for name in SOURCES for path in (ROOT / name).rglob("*.py"))
# Not librosa and onnxruntime: Lightning's torchmetrics imports them where they are installed.
OF_DOMAINS = (
    "gymnasium",
    "gymnasium_robotics",
    "h5py",
    "huggingface_hub",
    "imageio",
    "minari",
    "mujoco",
    "robomimic",
    "robosuite",
    "soundfile",
    "torchaudio",
)


def dotted(path: Path) -> str:
    return ".".join(("oneleap", *path.relative_to(ROOT).with_suffix("").parts))


def test_every_folder_is_listed_as_a_package() -> None:
    folders = {dotted(path.parent) for path in MODULES if path.name == "__init__.py"}
    assert set(PROJECT["tool"]["setuptools"]["packages"]) == folders
    assert {dotted(path.parent) for path in MODULES} == folders, "a folder has no __init__.py"


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_nothing_is_imported_a_second_time_under_a_bare_name(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports break between core and domains"
            names = [node.module or ""]
        assert not {name.partition(".")[0] for name in names} & set(SOURCES)


@pytest.mark.parametrize(
    "extra", ["rl", "robot", "audio", "music", "export", "eval", "studio", "dev", "all"]
)
def test_extras_are_declared(extra: str) -> None:
    assert PROJECT["project"]["optional-dependencies"][extra]


def run(code: str) -> None:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_core_is_imported_without_the_libraries_of_domains() -> None:
    modules = [dotted(p) for p in MODULES if p.is_relative_to(ROOT / "core")]
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in OF_DOMAINS)
    imports = "\n".join(f"import {name.removesuffix('.__init__')}" for name in modules)
    run(f"import sys\n{blocked}\n{imports}\nassert 'oneleap.domains' not in sys.modules")


def test_the_packages_themselves_import_nothing() -> None:
    run(
        "import sys\n"
        "import oneleap.core, oneleap.domains, oneleap.configs\n"
        "assert not {'torch', 'lightning', 'numpy', 'jsonargparse'} & set(sys.modules)"
    )


def test_the_mathematics_is_imported_without_the_trainer() -> None:
    run(
        "import sys\n"
        "import oneleap.core.objectives, oneleap.core.sampling.ode, oneleap.core.nets.mlp\n"
        "import oneleap.core.hub.pretrained\n"
        "assert not {'lightning', 'tensorboard', 'matplotlib'} & set(sys.modules)"
    )


def test_the_wheel_holds_configurations_and_types(tmp_path: Path) -> None:
    for name in (*SOURCES, "pyproject.toml", "README.md", "LICENSE"):
        source = ROOT / name
        copy = shutil.copytree if source.is_dir() else shutil.copy
        copy(source, tmp_path / name)
    code = (
        "import os, sys\n"
        "from setuptools import build_meta\n"
        "os.chdir(sys.argv[1]); print(build_meta.build_wheel('.'))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SETUPTOOLS_USE_DISTUTILS": "local"},
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    kinds = (".gz", ".json", ".md", ".npz", ".py", ".safetensors", ".txt", ".yaml")
    shipped = [p for name in SOURCES for p in (ROOT / name).rglob("*") if p.suffix in kinds]
    expected = {f"oneleap/{path.relative_to(ROOT).as_posix()}" for path in shipped}
    expected |= {"oneleap/core/py.typed", "oneleap/domains/py.typed"}
    packed = {name for name in names if ".dist-info/" not in name}
    assert packed == expected
    assert any(name.endswith("licenses/LICENSE") for name in names)


@pytest.mark.parametrize("name", ["core", "domains"])
def test_type_checkers_find_the_packages(name: str) -> None:
    link = ROOT / "typings" / "oneleap" / name
    assert link.resolve() == ROOT / name
