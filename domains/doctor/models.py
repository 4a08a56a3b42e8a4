"""The models that ship with oneleap: whether their weights are there."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from oneleap.domains.doctor.findings import Finding, State

SHIPPED = {
    "voice": ("speech", "voices"),
    "singer": ("singing", "voices"),
    "composer": ("music", "composers"),
    "policy": ("rl", "policies"),
}
"""Domain and folder of each kind of model."""

HEADER = 8
"""Bytes at the start of a file of weights that give the length of its description."""


def fault_of(weights: Path) -> str:
    """Say what is wrong with a file of weights, by its description and its size; empty if nothing.

    Args:
        weights: File in the format of safetensors.
    """
    try:
        with weights.open("rb") as file:
            size = int.from_bytes(file.read(HEADER), "little")
            if not 0 < size <= weights.stat().st_size - HEADER:
                return f"{weights} is cut short, or no file of weights"
            described = json.loads(file.read(size))
        end = max(v["data_offsets"][1] for k, v in described.items() if k != "__metadata__")
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{weights} cannot be read ({type(error).__name__})"
    if weights.stat().st_size != HEADER + size + end:
        return f"{weights} is cut short"
    return ""


def examine_models() -> Iterator[Finding]:
    """Examine the models that ship with oneleap."""
    for kind, (domain, folder) in SHIPPED.items():
        found = sorted(Path(str(files(f"oneleap.domains.{domain}")), folder).glob("*/"))
        names, size = [path.name for path in found], 0
        for path in found:
            weights = sorted(path.rglob("*.safetensors"))
            reasons = [reason for file in weights if (reason := fault_of(file))]
            if not weights:
                reasons = [f"{path} holds no weights"]
            size += sum(file.stat().st_size for file in weights)
            if reasons:
                mend = "install oneleap again: pip install --force-reinstall --no-deps oneleap"
                yield Finding(f"{kind} {path.name}", "missing", reasons[0], mend)
        text = f"{', '.join(names) or 'none'}; {size / 2**20:.1f} MiB of weights, no network needed"
        state: State = "ok" if found else "missing"
        yield Finding(f"shipped: {kind}", state, text, values={"names": names})
