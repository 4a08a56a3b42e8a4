"""Public names of packages: each resolves, and importing a package imports nothing heavy."""

import ast
import inspect
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(
    path
    for folder in ("core", "domains")
    for path in (ROOT / folder).rglob("__init__.py")
    if "lazy_names(" in path.read_text()
)


def dotted(file: Path) -> str:
    return ".".join(("oneleap", *file.parent.relative_to(ROOT).parts))


PACKAGES = [dotted(file) for file in FILES]
each_package = pytest.mark.parametrize("package", PACKAGES)


def typed_names(file: Path) -> dict[str, str]:
    """Names imported under TYPE_CHECKING, each with the module that it comes from."""
    names: dict[str, str] = {}
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            for statement in node.body:
                assert isinstance(statement, ast.ImportFrom)
                assert statement.module is not None
                for alias in statement.names:
                    assert alias.asname == alias.name, f"{alias.name}: write `as {alias.name}`"
                    names[alias.name] = statement.module
    return names


def lazy_modules(file: Path) -> dict[str, str]:
    """Second argument of ``lazy_names``, with absolute modules."""
    (call,) = (
        node
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "lazy_names"
    )
    modules: dict[str, str] = ast.literal_eval(call.args[1])
    return {name: f"{dotted(file)}.{module}" for name, module in modules.items()}


def test_the_core_has_a_face() -> None:
    assert "oneleap.core" in PACKAGES


@each_package
def test_all_names_are_sorted_listed_and_unknown_ones_refused(package: str) -> None:
    face = import_module(package)
    assert face.__all__ == sorted(set(face.__all__))
    assert dir(face) == face.__all__
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        face.__getattr__("nothing")


@each_package
def test_every_name_resolves_to_what_its_module_defines(package: str) -> None:
    face = import_module(package)
    for name in face.__all__:
        try:
            value = getattr(face, name)
        except ModuleNotFoundError as error:
            if str(error.name).startswith("oneleap"):
                raise
            continue  # a library of this domain is not installed
        if inspect.isclass(value) or inspect.isfunction(value):
            assert value.__name__ == name
            shared = "oneleap.domains.audio."  # what domains share, a domain may show as well
            own = value.__module__.startswith((f"{package}.", shared))
            assert own, value.__module__


@pytest.mark.parametrize("file", FILES, ids=PACKAGES)
def test_type_checkers_see_the_same_names(file: Path) -> None:
    assert typed_names(file) == lazy_modules(file)
    assert sorted(typed_names(file)) == import_module(dotted(file)).__all__


@each_package
def test_importing_a_package_imports_no_heavy_library(package: str) -> None:
    heavy = "{'torch', 'lightning', 'numpy', 'jsonargparse', 'matplotlib'}"
    code = f"import sys, {package}; found = {heavy} & set(sys.modules); assert not found, found"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_names_of_inference_import_no_lightning() -> None:
    code = (
        "import sys\n"
        "from oneleap.core import (\n"
        "    EulerSampler, GenerativeModel, MeanFlow, Recipe, load_pretrained, sample,\n"
        ")\n"
        "heavy = {'lightning', 'torchmetrics', 'torch._dynamo', 'torch._inductor'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
