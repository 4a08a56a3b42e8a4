"""Text, tables, JSON and YAML: what is damaged or hostile is one line."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.hostile.mutate import LAUGHS, MERGES

from oneleap.core.errors import InputError
from oneleap.core.reading.guard import FREE, RATIO, check_size, reading
from oneleap.core.reading.text import (
    as_utf8,
    parse_yaml,
    read_json,
    read_rows,
    read_standard_input,
    read_text,
)


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (KeyError("a"), "'a' is missing"),
        (ZeroDivisionError(), "ZeroDivisionError"),
        (RecursionError("maximum"), "nested too deeply"),
        (MemoryError(), "it needs more memory than there is"),
        (ValueError("two\nlines  and\tmore"), "two lines and more"),
        (OSError(5, "Input/output error"), "Input/output error"),
    ],
)
def test_any_error_of_a_parser_is_one_line(raised: Exception, said: str) -> None:
    with (
        pytest.raises(InputError) as error,
        reading("a.bin", "a thing", "mend it", prefix="x: "),
    ):
        raise raised
    assert str(error.value) == f"x: a.bin: damaged, or not a thing: {said}: mend it"


@pytest.mark.parametrize(
    "passes", [InputError("own"), ModuleNotFoundError("m"), KeyboardInterrupt()]
)
def test_what_is_no_fault_of_the_file_passes(passes: BaseException) -> None:
    with pytest.raises(type(passes)) as error, reading("a.bin", "a thing"):
        raise passes
    assert error.value is passes


def test_panics_of_rust_are_errors_too() -> None:
    panic = type("PanicException", (BaseException,), {})
    with pytest.raises(InputError, match="damaged"), reading("a.bin", "a thing"):
        raise panic("index out of bounds")


def test_a_message_is_one_line_that_can_be_printed() -> None:
    assert str(InputError("a\nb\x1b[31m")) == r"a b\x1b[31m"
    assert str(InputError("two  spaces stay")) == "two  spaces stay"
    assert len(str(InputError("x" * 10**6))) < 2000


def test_small_files_may_unpack_to_some_memory_and_large_ones_to_a_multiple() -> None:
    check_size("a", FREE, 1)
    check_size("a", RATIO * 2**30, 2**30)
    for claimed, stored in ((FREE + 1, 1), (RATIO * 2**30 + 1, 2**30)):
        with pytest.raises(InputError, match=r"a: damaged: \d+ bytes that unpack to .* GiB"):
            check_size("a", claimed, stored)


@pytest.mark.parametrize("trap", [LAUGHS, MERGES])
def test_aliases_of_yaml_do_not_multiply(trap: str) -> None:
    with pytest.raises(InputError, match="a: its aliases stand for more than"):
        parse_yaml(trap, "a")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("z: &z [*z]", "an alias of itself"),
        ("[" * 50_000, "nested too deeply"),
        ("z: !!python/object/apply:os.system [ls]", "could not determine a constructor"),
        ("z: 2026-99-99", "month must be in"),
        ("x" * 2**21, "too many for a configuration"),
        ("a: [", "while parsing"),
        ('a:\n- "x\\0y"', "line 2 has a NUL character"),
    ],
)
def test_what_is_no_configuration_is_refused(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as error:
        parse_yaml(text, "a.yaml")
    assert str(error.value).startswith("a.yaml: ")


def test_aliases_and_plain_values_are_read() -> None:
    assert parse_yaml("a: &a {x: 1}\nb: [*a, *a]\nc: {<<: *a}", "a") == {
        "a": {"x": 1},
        "b": [{"x": 1}, {"x": 1}],
        "c": {"x": 1},
    }
    assert parse_yaml("", "a") is None


def test_text_json_and_tables(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes('\ufeffa,"b\nc"\n\nd,é\n'.encode())
    assert read_rows(path) == [["a", "b\nc"], ["d", "é"]]
    path.write_text('{"a": [1]}')
    assert read_json(path) == {"a": [1]}
    for read, content, said in (
        (read_text, b"\xff", "is not UTF-8 text"),
        (read_json, b"{", "damaged, or not JSON"),
        (read_json, b"[" * 100_000, "nested too deeply"),
        (read_rows, b"a,\0", "bytes of zero"),
        (read_rows, b"a," + b"x" * 140_000, "field larger than"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=said):
            read(path)
    for missing in (tmp_path / "no", tmp_path / ("x" * 300), tmp_path):
        with pytest.raises(InputError):
            read_text(missing)


def test_a_loop_of_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("a")
    with pytest.raises(InputError):
        read_text(tmp_path / "a")


def test_standard_input_is_utf_8_in_any_locale(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO("Café — naïve.".encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw, encoding="latin-1"))
    assert read_standard_input() == "Café — naïve."
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xe9"), encoding="latin-1"))
    with pytest.raises(InputError, match="standard input: is not UTF-8 text"):
        read_standard_input()


def test_an_argument_is_utf_8_in_any_locale() -> None:
    assert as_utf8("Café") == "Café"
    code = (
        "import sys\n"
        "from oneleap.core.reading.text import as_utf8\n"
        "sys.stdout.buffer.write(as_utf8(sys.argv[1]).encode())"
    )
    env = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0"}
    done = subprocess.run(
        [sys.executable, "-c", code, "Café — naïve."], env=env, capture_output=True, check=True
    )
    assert done.stdout.decode() == "Café — naïve."
    with pytest.raises(InputError, match="not UTF-8"):
        as_utf8("caf\udce9")
