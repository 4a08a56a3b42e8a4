"""Installed packages, and the extras that are complete; nothing is imported."""

import json
import re
import shlex
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol, runtime_checkable
from urllib.parse import urlparse
from urllib.request import url2pathname

from oneleap.domains.doctor.findings import Finding
from oneleap.domains.extras import EXTRAS

PACKAGE = "oneleap"
PYTHON = (3, 11)

PURPOSES = {
    "all": "everything but servers, data makers and tools of developers",
    "audio": "what all sound needs",
    "coupling": "minibatch optimal transport in training",
    "dev": "tests and linters of oneleap itself",
    "docs": "builds the documentation of oneleap itself",
    "espeak": "speech in languages other than English",
    "eval": "a speech recognizer and DNSMOS, to judge sound",
    "export": "ONNX files and the Hugging Face Hub",
    "music": "oneleap compose, MIDI",
    "ogbench": "OGBench's tasks",
    "ray": "sweeps and evaluations over several nodes",
    "rl": "offline data, simulators, policies",
    "rl-collect": "trains demonstrators",
    "robot": "robosuite and robomimic",
    "serve": "oneleap serve, speech and policies over HTTP",
    "singing": "oneleap sing, scores",
    "singing-data": "makes songs to train on",
    "speech": "oneleap speak, cloned voices",
    "speech-data": "makes speech to train on",
    "studio": "oneleap studio, a web page to try what ships",
}
"""What each extra is for."""

_REQUIREMENT = re.compile(r"\s*([\w.-]+)\s*(?:\[([\w,. -]+)\])?\s*\(?([^;()]*)\)?\s*(?:;(.*))?$")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w.-]+)['"]""")


@dataclass(frozen=True)
class Requirement:
    """A requirement of a package.

    Attributes:
        name: Name of the required package.
        extras: Extras of it.
        versions: Bounds of its version, such as ``>=3.3,<3.9``.
        extra: Extra of oneleap that requires it; empty for the core.
    """

    name: str
    extras: tuple[str, ...]
    versions: str
    extra: str


def parse_requirement(line: str) -> Requirement:
    """Parse a line of a package's metadata.

    Raises:
        ValueError: If it is no requirement.
    """
    found = _REQUIREMENT.match(line)
    if found is None:
        raise ValueError(line)
    name, extras, versions, marker = found.groups()
    extra = _EXTRA.search(marker or "")
    named = tuple(part.strip() for part in (extras or "").split(",") if part.strip())
    return Requirement(name, named, versions.strip(), extra[1] if extra else "")


def requirements(package: Distribution) -> dict[str, list[Requirement]]:
    """Return the requirements of a package by extra; those of the core have an empty name."""
    found: dict[str, list[Requirement]] = {"": []}
    for extra in package.metadata.get_all("Provides-Extra") or []:
        found[extra] = []
    for line in package.requires or []:
        requirement = parse_requirement(line)
        found.setdefault(requirement.extra, []).append(requirement)
    return found


def fault_of(requirement: Requirement) -> str:
    """Say what is wrong with a required package; empty if nothing is."""
    try:
        installed = version(requirement.name)
    except PackageNotFoundError:
        return requirement.name
    try:
        from packaging.specifiers import SpecifierSet
    except ModuleNotFoundError:
        return ""
    if not SpecifierSet(requirement.versions).contains(installed, prereleases=True):
        return f"{requirement.name} {requirement.versions} (it is {installed})"
    return ""


def faults(extra: str, known: dict[str, list[Requirement]]) -> list[str]:
    """Return what an extra lacks, that of the extras it includes first."""
    found = list[str]()
    for requirement in known[extra]:
        if requirement.name == PACKAGE:
            for inner in requirement.extras:
                found += faults(inner, known)
        elif fault := fault_of(requirement):
            found.append(fault)
    if not found:  # a module may be missing although its package is there, or be in no package
        found += [name for name in EXTRAS.get(extra, ()) if find_spec(name) is None]
    return list(dict.fromkeys(found))


@runtime_checkable
class Installed(Protocol):
    """What :func:`install_command` needs of ``importlib.metadata.Distribution``."""

    def read_text(self, filename: str) -> str | None:
        """Text of a file of the metadata, if there is one."""


def install_command(package: Installed, extra: str = "") -> str:
    """Return the command that installs an extra the way oneleap was installed.

    Args:
        package: oneleap as it is installed.
        extra: The extra; empty for the core.
    """
    suffix = f"[{extra}]" if extra else ""
    pip = f"{shlex.quote(sys.executable)} -m pip install"
    origin = json.loads(package.read_text("direct_url.json") or "{}")
    url = str(origin.get("url", ""))
    if "dir_info" in origin and url.startswith("file:"):  # a clone
        clone = Path(url2pathname(urlparse(url).path))
        pins = " -c constraints.txt" if (clone / "constraints.txt").is_file() else ""
        editable = " -e" if origin["dir_info"].get("editable") else ""
        return f"cd {shlex.quote(str(clone))} && {pip}{pins}{editable} '.{suffix}'"
    if url:  # a wheel, or another address
        return f"{pip} '{PACKAGE}{suffix} @ {url}'"
    return f"{pip} '{PACKAGE}{suffix}'"


def examine_packages() -> Iterator[Finding]:
    """Examine Python, the packages that oneleap needs, and its extras."""
    here = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info >= PYTHON:
        yield Finding("Python", "ok", f"{here}, {sys.executable}", values={"version": here})
    else:
        wanted = ".".join(map(str, PYTHON))
        yield Finding("Python", "broken", f"{here}: oneleap needs {wanted} or later")
    package = distribution(PACKAGE)
    known = requirements(package)
    text = f"{package.version}, {Path(str(package.locate_file(''))).resolve()}"
    yield Finding(PACKAGE, "ok", text, values={"version": package.version})
    for requirement in known[""]:
        if fault := fault_of(requirement):
            yield Finding(requirement.name, "broken", f"missing: {fault}", install_command(package))
            continue
        installed = version(requirement.name)
        yield Finding(requirement.name, "ok", installed, values={"version": installed})
    for extra in sorted(set(known) - {""}):
        lacks = faults(extra, known)
        name, values = f"extra {extra}", {"missing": lacks}
        use = PURPOSES.get(extra, "")
        if lacks:
            mend = install_command(package, extra)
            yield Finding(name, "missing", f"{use}; missing: {', '.join(lacks)}", mend, values)
        else:
            yield Finding(name, "ok", f"{use}; complete", values=values)
