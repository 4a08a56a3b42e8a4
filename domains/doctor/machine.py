"""The machine: GPU, threads, processor, compiler, folders and locale; torch is not imported."""

import ctypes
import locale
import os
import re
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.outputs import check_output
from oneleap.domains.doctor.findings import Finding, State

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")
"""Environment variables that set the number of threads of torch."""

MEASURE = "oneleap doctor --measure"


def examine_machine() -> Iterator[Finding]:
    """Examine the machine."""
    yield gpu()
    yield threads()
    yield processor()
    yield compiler()
    yield from folders()
    yield text_encoding()


def torch_cuda() -> str | None:
    """Return the CUDA version that torch was built for, without importing it."""
    spec = find_spec("torch")
    if spec is None or not spec.submodule_search_locations:
        return None
    file = Path(spec.submodule_search_locations[0], "version.py")
    text = file.read_text(encoding="utf-8") if file.is_file() else ""
    found = re.search(r"^cuda[^=\n]*=\s*'([\d.]+)'", text, re.MULTILINE)
    return found[1] if found else None


def gpu() -> Finding:
    """Look for a GPU by NVIDIA's driver."""
    built = torch_cuda()
    about = f"torch is built for CUDA {built}" if built else "torch is built without CUDA"
    try:
        driver = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        count, failed = ctypes.c_int(), driver.cuInit(0)
        failed = failed or driver.cuDeviceGetCount(ctypes.byref(count))
    except OSError:
        text = f"none: no NVIDIA driver; {about}. The CPU is used"
        return Finding("GPU", "ok", text, values={"gpus": []})
    if failed:
        text = f"NVIDIA's driver reports error {failed}; {about}"
        return Finding("GPU", "note", text, "nvidia-smi", {"gpus": []})
    names = list[str]()
    for i in range(count.value):
        device, name = ctypes.c_int(), ctypes.create_string_buffer(100)
        driver.cuDeviceGet(ctypes.byref(device), i)
        driver.cuDeviceGetName(name, 100, device)
        names.append(name.value.decode(errors="replace"))
    if names and built is None:
        mend = f"{sys.executable} -m pip install --force-reinstall torch"
        return Finding("GPU", "note", f"{', '.join(names)}, but {about}", mend, {"gpus": names})
    text = f"{', '.join(names) or 'none'}; {about}"
    return Finding("GPU", "ok", text, values={"gpus": names})


def threads() -> Finding:
    """Compare the cores that this process may use with the threads that are asked for."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    given = {name: os.environ[name] for name in THREADS if name in os.environ}
    values = {"cores": os.cpu_count(), "usable_cores": cores, **given}
    text = f"{cores} of {os.cpu_count()} cores may be used"
    text += "".join(f", {name}={value}" for name, value in given.items())
    for name, value in given.items():
        if not value.isdecimal() or not 1 <= int(value) <= (cores or 1):
            return Finding("threads", "note", text, f"export {name}={cores}", values)
    return Finding("threads", "ok", text, values=values)


def cpu_facts() -> tuple[str, str, set[str]]:
    """Return the maker, the name and the instruction sets of the processor, if they are known."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", "", set()
    fields = dict(re.findall(r"^(vendor_id|model name|flags)\s*:\s*(.*)$", text, re.MULTILINE))
    flags = set(fields.get("flags", "").split())
    return fields.get("vendor_id", ""), fields.get("model name", ""), flags


def slow_mkl() -> bool:
    """Return whether MKL may leave AVX-512 unused: it chooses by the maker of the processor."""
    maker, _, flags = cpu_facts()
    return maker == "AuthenticAMD" and "avx512f" in flags


def processor() -> Finding:
    """Say what the processor can, and whether MKL may not use it."""
    maker, name, flags = cpu_facts()
    if not name:
        return Finding("processor", "ok", "unknown: there is no /proc/cpuinfo")
    sets = [s for s in ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8") if s in flags]
    values = {"maker": maker, "name": name, "instruction_sets": sets}
    text = f"{name}: {', '.join(sets) or 'no AVX2'}"
    if slow_mkl():
        text += "; torch's MKL knows AVX-512 on Intel's processors only, so products may be slower"
        return Finding("processor", "note", text, MEASURE, values)
    return Finding("processor", "ok", text, values=values)


def compiler() -> Finding:
    """Look for what torch.compile needs: a C++ compiler and the headers of Python."""
    name = os.environ.get("CXX", "g++")
    found = shutil.which(name.split()[0]) if name.strip() else None
    found = found or (None if "CXX" in os.environ else shutil.which("clang++"))
    header = Path(sysconfig.get_paths()["include"], "Python.h")
    values = {"compiler": found, "python_headers": header.is_file()}
    slow = "torch.compile needs it; training without is several times slower"
    if found is None:
        text = f"no C++ compiler ({name}): {slow}"
        return Finding("compiler", "missing", text, "sudo apt-get install g++", values)
    if not header.is_file():
        text = f"{found}, but there is no {header}: {slow}"
        package = f"python{sys.version_info[0]}.{sys.version_info[1]}-dev"
        return Finding("compiler", "missing", text, f"sudo apt-get install {package}", values)
    return Finding("compiler", "ok", f"{found}, {header}", values=values)


def folders() -> Iterator[Finding]:
    """Check the folders that commands write to."""
    user = os.environ.get("USER") or str(getattr(os, "getuid", lambda: "user")())
    temporary = Path(tempfile.gettempdir())
    compiled = Path(os.environ.get("TORCHINDUCTOR_CACHE_DIR", temporary / f"torchinductor_{user}"))
    home = Path.home()
    cache = Path(os.environ.get("XDG_CACHE_HOME", home / ".cache"))
    data = Path(os.environ.get("MINARI_DATASETS_PATH", home / ".minari" / "datasets"))
    for name, folder, mend in (
        ("runs", Path("runs").absolute(), "cd FOLDER_OF_YOURS"),
        ("temporary files", temporary, "export TMPDIR=FOLDER_OF_YOURS"),
        ("compiled graphs", compiled, "export TORCHINDUCTOR_CACHE_DIR=FOLDER_OF_YOURS"),
        ("cache", cache, "export XDG_CACHE_HOME=FOLDER_OF_YOURS"),
        ("data sets of Minari", data, "export MINARI_DATASETS_PATH=FOLDER_OF_YOURS"),
    ):
        values = {"folder": str(folder)}
        try:
            check_output(folder, "out")
        except InputError as error:
            reason = str(error).removeprefix("out: ").partition(": name")[0]
            state: State = "broken" if name == "temporary files" else "missing"
            yield Finding(f"folder for {name}", state, reason, mend, values)
            continue
        existing = next(path for path in (folder, *folder.parents) if path.exists())
        free = shutil.disk_usage(existing).free / 2**30
        text = f"{folder}, {free:.1f} GiB free"
        if free < 1:
            yield Finding(f"folder for {name}", "note", text, f"df -h {existing}", values)
        else:
            yield Finding(f"folder for {name}", "ok", text, values=values)


def text_encoding() -> Finding:
    """Check that text is UTF-8, which phonemes and lyrics need."""
    encoding = locale.getpreferredencoding(False)
    text = f"{encoding}, standard output {sys.stdout.encoding}"
    values = {"encoding": encoding, "stdout": sys.stdout.encoding}
    if "utf-8" in (encoding.lower(), encoding.lower().replace("utf8", "utf-8")):
        return Finding("locale", "ok", text, values=values)
    text += ": phonemes and lyrics need UTF-8"
    return Finding("locale", "note", text, "export LANG=C.UTF-8 PYTHONUTF8=1", values)
