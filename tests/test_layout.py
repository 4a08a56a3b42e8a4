"""The layout: no large file, no crowded folder."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
CODE = [p for top in ("core", "domains", "tests") for p in (ROOT / top).rglob("*.py")]

MAX_LINES, MAX_FILES = 400, 16


def test_no_file_of_code_is_over_400_lines() -> None:
    lengths = {p.relative_to(ROOT): len(p.read_text().splitlines()) for p in CODE}
    longest = sorted(lengths.items(), key=lambda item: -item[1])[:10]
    print("longest files:", *(f"\n  {n:4d} {path}" for path, n in longest))
    long = {p: n for p, n in lengths.items() if n > MAX_LINES}
    assert not long


def test_no_folder_of_code_has_more_than_16_files() -> None:
    folders: dict[Path, int] = {}
    for path in CODE:
        folders[path.parent] = folders.get(path.parent, 0) + 1
    fullest = sorted(folders.items(), key=lambda item: -item[1])[:10]
    print("fullest folders:", *(f"\n  {n:4d} {f.relative_to(ROOT)}" for f, n in fullest))
    crowded = {f.relative_to(ROOT): n for f, n in folders.items() if n > MAX_FILES}
    assert not crowded


def test_every_package_says_what_it_is_for() -> None:
    for path in CODE:
        if path.name == "__init__.py":
            first = path.read_text().partition("\n")[0]
            assert first.startswith('"""'), path
            assert "TODO" not in first, path
