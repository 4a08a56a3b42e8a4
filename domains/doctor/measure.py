"""Measurements in child processes: threads of torch, and what MKL makes of the processor."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from oneleap.domains.doctor.findings import Finding
from oneleap.domains.doctor.machine import slow_mkl

PRODUCT = """
import json, os, sys, time, torch
threads = torch.get_num_threads()
torch.set_num_threads(1)
a, b = torch.ones(512, 256), torch.ones(256, 256)
out, times = torch.empty(512, 256), []
torch.mm(a, b, out=out)
print("----", flush=True)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
for _ in range(40):
    start = time.perf_counter()
    for _ in range(20):
        torch.mm(a, b, out=out)
    times.append((time.perf_counter() - start) / 20)
print(json.dumps({
    "torch_threads": threads,
    "torch_instruction_set": torch.backends.cpu.get_cpu_capability(),
    "mkl": torch.backends.mkl.is_available(),
    "gflops": 2 * 512 * 256 * 256 / min(times) / 1e9,
}), file=sys.stderr)
"""
"""Program of a child process: prints MKL's first lines, and figures as JSON on the error stream."""

FULL_WIDTH = """int mkl_serv_intel_cpu_true(void) { return 1; }
int mkl_serv_intel_cpu(void) { return 1; }
"""
"""C code that makes MKL use the full width of the processor."""

RECIPE = (
    "printf 'int mkl_serv_intel_cpu_true(void){return 1;}\\nint mkl_serv_intel_cpu(void)"
    "{return 1;}\\n' | gcc -shared -fPIC -x c - -o mkl_full_width.so; "
    "export LD_PRELOAD=$PWD/mkl_full_width.so"
)
"""Commands that do so in a shell."""

TIMEOUT_S = 120
WORTH = 1.15
"""Gain of speed that is worth a note."""


def run_product(**environment: str) -> dict[str, Any] | None:
    """Time a product of matrices in a child process, quiet of this one's settings.

    Args:
        environment: Further environment variables.

    Returns:
        The figures, with MKL's own line as ``mkl_line``; ``None`` if torch does not start.
    """
    done = subprocess.run(
        [sys.executable, "-c", PRODUCT],
        capture_output=True,
        text=True,
        env={**os.environ, "MKL_VERBOSE": "1", **environment},
        timeout=TIMEOUT_S,
        check=False,
    )
    if done.returncode:
        return None
    found: dict[str, Any] = json.loads(done.stderr.strip().splitlines()[-1])
    line = re.search(r"^MKL_VERBOSE (oneMKL|Intel).*? for (.*? processors)", done.stdout, re.M)
    found["mkl_line"] = line[2] if line else ""
    return found


def examine_speed() -> Iterator[Finding]:
    """Measure torch's threads, and products of matrices as MKL makes them and at full width."""
    usual = run_product()
    if usual is None:
        yield Finding("torch", "broken", "import torch fails: python -c 'import torch' says why")
        return
    text = f"{usual['torch_threads']}; its own loops use {usual['torch_instruction_set']}"
    yield Finding("threads of torch", "ok", text, values=usual)
    speed = f"{usual['gflops']:.0f} GFLOP/s on one thread (512 x 256 x 256, float32)"
    if not usual["mkl"]:
        yield Finding("matrix products", "ok", f"{speed}; torch has no MKL here", values=usual)
        return
    says = f"MKL says: for {usual['mkl_line']}" if usual["mkl_line"] else "MKL does not say how"
    full = full_width() if slow_mkl() else None
    if full is None:
        yield Finding("matrix products", "ok", f"{speed}; {says}", values=usual)
        return
    gain = full["gflops"] / usual["gflops"]
    values = {**usual, "full_width_gflops": full["gflops"]}
    text = f"{speed}; {says}. At full width {full['gflops']:.0f} GFLOP/s, {gain:.2f} times"
    if gain < WORTH:
        yield Finding("matrix products", "ok", text, values=values)
    else:
        yield Finding("matrix products", "note", text, RECIPE, values)


def full_width() -> dict[str, Any] | None:
    """Measure with :data:`FULL_WIDTH`; ``None`` without a compiler, or if it does not work."""
    gcc = shutil.which("gcc") or shutil.which("cc")
    if gcc is None or not sys.platform.startswith("linux"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        source, library = Path(folder, "full.c"), Path(folder, "full.so")
        source.write_text(FULL_WIDTH, encoding="utf-8")
        made = subprocess.run(
            [gcc, "-shared", "-fPIC", str(source), "-o", str(library)],
            capture_output=True,
            check=False,
        )
        if made.returncode:
            return None
        loaded = filter(None, (str(library), os.environ.get("LD_PRELOAD", "")))
        return run_product(LD_PRELOAD=":".join(loaded))
