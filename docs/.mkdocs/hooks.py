"""Reference pages made from the code at each build, and formulas as MathML, without scripts."""

import ast
import logging
import re
from pathlib import Path
from typing import Any

import griffe
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
FACES = {
    "core": "oneleap.core",
    **{d: f"oneleap.domains.{d}" for d in ("rl", "robot", "speech", "singing", "music", "audio")},
}


MATH = re.compile(
    r"(```.*?```|``[^`\n]+``|`[^`\n]+`)|\$\$(.+?)\$\$|(?<![\\$\w])\$(?!\s)([^$\n]+?)(?<!\s)\$(?![\d$])",
    re.DOTALL,
)


def on_page_markdown(markdown: str, **kwargs: Any) -> str:
    """Turn formulas between dollar signs into MathML, which browsers draw themselves."""

    def formula(found: re.Match[str]) -> str:
        code, block, inline = found.groups()
        if code is not None:
            return code
        text = (block or inline).strip().replace("\\lVert", "\\|").replace("\\rVert", "\\|")
        if block is not None:
            return f"\n\n{convert(text, display='block')}\n\n"
        return f"<span>{convert(text)}</span>"

    return MATH.sub(formula, markdown)


def public_names(package: str) -> dict[str, str]:
    """Public names of a package, and the module that defines each."""
    path = ROOT / package.removeprefix("oneleap.").replace(".", "/") / "__init__.py"
    found = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith(f"{package}."):
            found |= {a.name: str(node.module) for a in node.names if a.name != "lazy_names"}
    return dict(sorted(found.items()))


def api_page(title: str, package: str) -> str:
    """The API of a package: one entry for each public name."""
    entries = [f"::: {module}.{name}" for name, module in public_names(package).items()]
    head = f"# {title}\n\nPublic names of `{package}`: `from {package} import NAME`.\n"
    return "\n\n".join([head, *entries]) + "\n"


def configuration_page(title: str, package: str, loaded: griffe.Object) -> str:
    """What a YAML file may say of each class of a package."""
    parts = [
        f"# {title}\n\nArguments of the classes of `{package}` that a YAML file or a `--flag` sets."
    ]
    for name, module in public_names(package).items():
        item = loaded[f"{module}.{name}".removeprefix("oneleap.")]
        if not isinstance(item, griffe.Class):
            continue
        rows = parameters(item)
        if rows:
            parts.append(f"## `{package}.{name}` {{ #{package}.{name}-yaml }}\n\n{summary(item)}")
            parts.append("\n".join([HEADER, *rows]))
    return "\n\n".join(parts) + "\n"


HEADER = "| argument | type | default | meaning |\n|---|---|---|---|"


def parameters(item: griffe.Class) -> list[str]:
    """A row for each constructor argument."""
    meanings = described(item)
    rows = []
    for parameter in item.parameters:
        if parameter.name == "self" or parameter.kind in (
            griffe.ParameterKind.var_positional,
            griffe.ParameterKind.var_keyword,
        ):
            continue
        default = "required" if parameter.default is None else f"`{parameter.default}`"
        kind = f"`{parameter.annotation}`".replace(" | ", " or ") if parameter.annotation else ""
        cells = (f"`{parameter.name}`", kind, default, meanings.get(parameter.name, ""))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return rows


def described(item: griffe.Class) -> dict[str, str]:
    """Meaning of each argument, by the docstrings of the class and its bases."""
    found: dict[str, str] = {}
    for cls in [*reversed(item.mro()), item]:
        for section in cls.docstring.parse("google", warnings=False) if cls.docstring else ():
            if section.kind in (
                griffe.DocstringSectionKind.parameters,
                griffe.DocstringSectionKind.attributes,
            ):
                found |= {e.name: " ".join(e.description.split()) for e in section.value}
    return found


def summary(item: griffe.Class) -> str:
    """The first line of a class's docstring."""
    return item.docstring.value.partition("\n")[0] if item.docstring else ""


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the reference pages."""
    logging.getLogger("griffe").setLevel(logging.ERROR)
    extensions = griffe.load_extensions(str(Path(__file__).with_name("docstrings.py")))
    loader = griffe.GriffeLoader(search_paths=[ROOT / "typings"], extensions=extensions)
    loaded = loader.load("oneleap")
    loader.resolve_aliases(implicit=True)
    for room, package in FACES.items():
        title = room if room == "core" else f"domain {room}"
        pages = {
            "api": api_page(f"API: {title}", package),
            "configuration": configuration_page(f"Configuration: {title}", package, loaded),
        }
        for kind, text in pages.items():
            files.append(File.generated(config, f"reference/{kind}/{room}.md", content=text))
    return files
