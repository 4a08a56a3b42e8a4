"""``oneleap doctor``: what is found, what is missing, and the commands that mend it."""

import json
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, version
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from oneleap.domains.doctor import machine, measure, models, packages
from oneleap.domains.doctor.packages import Requirement, parse_requirement
from oneleap.domains.extras import EXTRAS
from oneleap.domains.main import main


def examine(capsys: pytest.CaptureFixture[str], *argv: str) -> tuple[int, dict[str, Any]]:
    status = main(["doctor", "--json", *argv])
    found = json.loads(capsys.readouterr().out)
    return status, {finding["name"]: finding for finding in found["findings"]} | {"all": found}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("torch>=2.14", Requirement("torch", (), ">=2.14", "")),
        ("mujoco<3.9,>=3.3; extra == 'rl'", Requirement("mujoco", (), "<3.9,>=3.3", "rl")),
        (
            'minari[arrow,hdf5]>=0.5.3; extra == "rl"',
            Requirement("minari", ("arrow", "hdf5"), ">=0.5.3", "rl"),
        ),
        (
            "oneleap[audio]; extra == 'speech-data'",
            Requirement("oneleap", ("audio",), "", "speech-data"),
        ),
        ("a-b.c (>=1)", Requirement("a-b.c", (), ">=1", "")),
    ],
)
def test_requirements_are_parsed(line: str, expected: Requirement) -> None:
    assert parse_requirement(line) == expected


def test_every_requirement_of_oneleap_is_parsed() -> None:
    known = packages.requirements(distribution("oneleap"))
    assert set(EXTRAS) <= set(known)
    assert {r.name for r in known[""]} >= {"torch", "lightning", "numpy"}
    assert {r.name for r in known["rl"]} >= {"gymnasium", "minari", "mujoco"}


def test_the_purpose_of_every_extra_is_known_and_told() -> None:
    root = Path(__file__).parents[3]
    declared = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    extras = set(declared["optional-dependencies"])
    assert set(packages.PURPOSES) == extras
    page = (root / "docs" / "install.md").read_text()
    assert [name for name in extras if f"\n| `{name}` | " not in page] == []


def test_an_extra_lacks_what_the_extras_inside_it_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {
        "": [],
        "inner": [Requirement("inner-package", (), ">=1", "inner")],
        "outer": [
            Requirement("oneleap", ("inner",), "", "outer"),
            Requirement("old", (), ">=2", ""),
        ],
    }

    def fake(name: str) -> str:
        if name == "inner-package":
            raise PackageNotFoundError
        return "1.5"

    monkeypatch.setattr(packages, "version", fake)
    assert packages.faults("inner", known) == ["inner-package"]
    assert packages.faults("outer", known) == ["inner-package", "old >=2 (it is 1.5)"]


def test_a_module_that_no_package_brings_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(packages.EXTRAS, "rl", ("json", "a_module_of_nowhere"))  # type: ignore[arg-type]
    assert packages.faults("rl", {"rl": []}) == ["a_module_of_nowhere"]


def test_all_is_well_without_an_extra(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = version

    def fake(name: str) -> str:
        if name in ("minari", "soundfile"):
            raise PackageNotFoundError
        return real(name)

    monkeypatch.setattr(packages, "version", fake)
    status, found = examine(capsys)
    assert status == 0
    assert found["all"]["healthy"]
    assert found["extra rl"]["values"]["missing"] == ["minari"]
    assert "[rl]'" in found["extra rl"]["mend"]
    assert found["extra rl"]["state"] == "missing"
    assert "soundfile" in found["extra speech"]["text"]
    assert found["torch"]["values"]["version"] == version("torch")


def test_a_missing_requirement_of_the_core_is_a_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = version

    def fake(name: str) -> str:
        if name == "safetensors":
            raise PackageNotFoundError
        return real(name)

    monkeypatch.setattr(packages, "version", fake)
    status, found = examine(capsys)
    assert status == 1
    assert found["safetensors"]["state"] == "broken"
    assert "pip install" in found["safetensors"]["mend"]
    assert main(["doctor"]) == 1
    printed = capsys.readouterr()
    assert "BROKEN   safetensors" in printed.out
    assert printed.err.endswith("something needed is missing\n")


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, "{pip} 'oneleap[rl]'"),
        (
            {"url": "file:///w/oneleap-1-py3-none-any.whl", "archive_info": {}},
            "{pip} 'oneleap[rl] @ file:///w/oneleap-1-py3-none-any.whl'",
        ),
        ({"url": "{clone}", "dir_info": {}}, "cd {folder} && {pip} -c constraints.txt '.[rl]'"),
        (
            {"url": "{clone}", "dir_info": {"editable": True}},
            "cd {folder} && {pip} -c constraints.txt -e '.[rl]'",
        ),
    ],
)
def test_an_extra_is_installed_as_oneleap_was(
    origin: dict[str, Any] | None, expected: str, tmp_path: Path
) -> None:
    folder = tmp_path / "a clone"
    folder.mkdir()
    (folder / "constraints.txt").touch()
    text = json.dumps(origin).replace("{clone}", folder.as_uri()) if origin else None
    package: Any = SimpleNamespace(read_text=lambda _: text)
    pip = f"{shlex.quote(sys.executable)} -m pip install"
    command = expected.format(pip=pip, folder=shlex.quote(str(folder)))
    assert packages.install_command(package, "rl") == command


def test_it_does_not_import_torch() -> None:
    code = (
        "import sys\nfrom oneleap.domains.main import main\n"
        "status = main(['doctor'])\n"
        "assert not {'torch', 'numpy', 'lightning'} & set(sys.modules)\n"
        "raise SystemExit(status)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "shipped: voice" in done.stdout


def test_what_ships_is_found() -> None:
    found = {finding.name: finding for finding in models.examine_models()}
    assert all(finding.state == "ok" for finding in found.values())
    assert "heart" in found["shipped: voice"].values["names"]
    assert "pointmaze-umaze" in found["shipped: policy"].values["names"]


@pytest.mark.parametrize("kind", ["pointer", "cut", "empty", "gone"])
def test_damaged_weights_are_noticed(kind: str, tmp_path: Path) -> None:
    (weights,) = (Path(models.__file__).parents[1] / "rl/policies").rglob("*.safetensors")
    file = tmp_path / "model.safetensors"
    assert models.fault_of(weights) == ""
    if kind == "pointer":
        file.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 5\n")
    elif kind != "gone":
        shutil.copy(weights, file)
        with file.open("r+b") as opened:
            opened.truncate(0 if kind == "empty" else weights.stat().st_size - 4)
    assert str(file) in models.fault_of(file)


def test_threads_beyond_the_cores_are_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in machine.THREADS:
        monkeypatch.delenv(name, raising=False)
    assert machine.threads().state == "ok"
    for value in ("100000", "many", "0"):
        monkeypatch.setenv("OMP_NUM_THREADS", value)
        found = machine.threads()
        assert found.state == "note"
        assert found.mend.startswith("export OMP_NUM_THREADS=")


def test_a_missing_compiler_and_missing_headers_are_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    found = machine.compiler()
    assert (found.state, found.values["compiler"]) == ("missing", None)
    assert "apt-get install g++" in found.mend
    monkeypatch.setenv("CXX", sys.executable)
    monkeypatch.setattr(machine.sysconfig, "get_paths", lambda: {"include": str(tmp_path)})
    found = machine.compiler()
    assert found.state == "missing"
    assert "Python.h" in found.text
    assert "-dev" in found.mend


def test_a_folder_that_cannot_be_written_is_noticed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file" / "cache"))
    found = {finding.name: finding for finding in machine.folders()}
    assert found["folder for cache"].state == "missing"
    assert "XDG_CACHE_HOME" in found["folder for cache"].mend
    assert found["folder for temporary files"].state in ("ok", "note")


def test_text_that_is_not_utf8_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine.locale, "getpreferredencoding", lambda check: "ANSI_X3.4-1968")
    found = machine.text_encoding()
    assert (found.state, found.mend) == ("note", "export LANG=C.UTF-8 PYTHONUTF8=1")
    monkeypatch.setattr(machine.locale, "getpreferredencoding", lambda check: "UTF-8")
    assert machine.text_encoding().state == "ok"


@pytest.mark.parametrize(
    ("maker", "flags", "slow"),
    [
        ("AuthenticAMD", "avx2 avx512f", True),
        ("AuthenticAMD", "avx2", False),
        ("GenuineIntel", "avx2 avx512f", False),
    ],
)
def test_full_width_matters_on_amd_only(
    maker: str, flags: str, slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = (maker, "A processor", set(flags.split()))
    monkeypatch.setattr(machine, "cpu_facts", lambda: facts)
    assert machine.slow_mkl() is slow
    assert machine.processor().state == ("note" if slow else "ok")


def fake_product(gflops: float, line: str) -> Any:
    figures = {"torch_threads": 2, "torch_instruction_set": "AVX512", "mkl": True, "gflops": gflops}
    error = f"a warning\n{json.dumps(figures)}\n"
    return SimpleNamespace(returncode=0, stdout=f"{line}\n----\n", stderr=error)


def test_what_mkl_says_and_what_full_width_gains(monkeypatch: pytest.MonkeyPatch) -> None:
    line = (
        "MKL_VERBOSE oneMKL 2024.0 Update 2 Product build 20240605 for Intel(R) 64 architecture "
        "Intel(R) Architecture processors, Lnx 2.60GHz lp64 gnu_thread"
    )

    def run(argv: list[str], **options: Any) -> Any:
        if argv[0] != sys.executable:
            return SimpleNamespace(returncode=0)
        return fake_product(250.0 if "LD_PRELOAD" in options["env"] else 100.0, line)

    monkeypatch.delenv("LD_PRELOAD", raising=False)
    monkeypatch.setattr(measure.subprocess, "run", run)
    monkeypatch.setattr(measure.shutil, "which", lambda name: "/usr/bin/gcc")
    monkeypatch.setattr(measure.sys, "platform", "linux")
    monkeypatch.setattr(measure, "slow_mkl", lambda: True)
    _, product = measure.examine_speed()
    assert product.state == "note"
    assert "Intel(R) Architecture processors" in product.text
    assert "2.50 times" in product.text
    assert "LD_PRELOAD" in product.mend
    monkeypatch.setattr(measure, "slow_mkl", lambda: False)
    _, product = measure.examine_speed()
    assert (product.state, product.mend) == ("ok", "")


def test_torch_that_does_not_start_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "PRODUCT", "raise SystemExit(3)")
    (found,) = measure.examine_speed()
    assert found.state == "broken"


@pytest.mark.slow
def test_a_product_is_measured(capsys: pytest.CaptureFixture[str]) -> None:
    status, found = examine(capsys, "--measure")
    assert status == 0
    assert found["matrix products"]["values"]["gflops"] > 1
    assert found["threads of torch"]["values"]["torch_threads"] >= 1
