"""``oneleap bench all``: every claim in one run; README says what it measured."""

import json
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.tiny import complain

from oneleap.core.errors import Notice
from oneleap.domains.bench import command
from oneleap.domains.bench.ratios import OPTIONS, RATIOS, shown
from oneleap.domains.main import main

ROOT = Path(__file__).parents[3]
RESULTS = ROOT / "docs" / "benchmarks" / "all.json"


def wrong_rows(readme: str, results: dict[str, Any]) -> list[str]:
    """Rows of a README about a claim that say another number than the results."""
    titles = {found["title"]: key for key, found in results["ratios"].items()}
    known = {ratio.key: ratio for ratio in RATIOS}
    wrong = []
    for row in re.findall(r"^\|.*\|$", readme, re.MULTILINE):
        title = row.strip("|").split("|")[0].strip()
        if title in {ratio.title for ratio in RATIOS} and (
            title not in titles
            or row != known[titles[title]].readme_row(results["ratios"][titles[title]]["value"])
        ):
            wrong.append(row)
    return wrong


def fake_results() -> dict[str, Any]:
    figures = {domain: {} for domain in OPTIONS}
    for i, ratio in enumerate(RATIOS):
        figures[ratio.domain][ratio.name] = 1.234 * (i + 1)
    return {"ratios": command.ratios(figures)}


def read_results() -> dict[str, Any]:
    """The last run; where there is none, README may claim nothing."""
    if not RESULTS.is_file():
        return {"ratios": {}}
    found: dict[str, Any] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return found


def test_readme_says_what_was_measured() -> None:
    results = read_results()
    assert wrong_rows((ROOT / "README.md").read_text(encoding="utf-8"), results) == []


def test_a_wrong_row_is_noticed() -> None:
    results = fake_results()
    right = RATIOS[3].readme_row(results["ratios"][RATIOS[3].key]["value"])
    assert right == "| an action of Diffusion-QL (5) over OFQL's | 4.9 times |"
    readme = f"# Title\n\n| speed | measured |\n|---|---|\n{right}\n"
    assert wrong_rows(readme, results) == []
    assert len(wrong_rows(readme.replace("4.9", "5.9"), results)) == 1
    del results["ratios"][RATIOS[3].key]
    assert len(wrong_rows(readme, results)) == 1


def test_the_results_that_are_kept_are_whole() -> None:
    if not RESULTS.is_file():
        pytest.skip("docs/benchmarks/all.json is not there yet")
    results = read_results()
    assert set(results["ratios"]) | {
        ratio.key for ratio in RATIOS if ratio.domain in results["failed"]
    } == {ratio.key for ratio in RATIOS}
    for ratio in RATIOS:
        if found := results["ratios"].get(ratio.key):
            assert found["met"] == ratio.met(found["value"])
            assert found["value"] == results["figures"][ratio.domain][ratio.name]
    assert {"processor", "cores", "threads", "versions", "date", "load_before"} <= set(results)


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.24, "1.2"), (0.0132, "0.013"), (123.4, "123"), (9.96, "10"), (10.4, "10")],
)
def test_numbers_have_two_digits_that_count(value: float, text: str) -> None:
    assert shown(value) == text


def test_claims_have_names_and_titles_of_their_own() -> None:
    assert len({ratio.key for ratio in RATIOS}) == len({ratio.title for ratio in RATIOS})
    assert {ratio.domain for ratio in RATIOS} == set(OPTIONS)


def test_a_domain_that_fails_is_named_and_the_others_are_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(argv: list[str], **options: Any) -> Any:
        words = argv[argv.index("bench") :]
        if words[1] == "robot":
            return SimpleNamespace(returncode=2, stderr="oneleap: robosuite is not installed: pip")
        assert tuple(words[2 : 2 + len(OPTIONS[words[1]])]) == OPTIONS[words[1]]
        figures = {ratio.name: 2.5 for ratio in RATIOS if ratio.domain == words[1]}
        Path(words[words.index("--json") + 1]).write_text(json.dumps(figures))
        return SimpleNamespace(returncode=0, stderr="")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(command, "load", lambda: 0.1)
    monkeypatch.chdir(tmp_path)
    assert main(["bench", "all", "--json", "all.json", "--markdown"]) == 1
    results = json.loads(Path("all.json").read_text())
    assert results["failed"] == {"robot": "robosuite is not installed: pip"}
    assert len(results["ratios"]) == len(RATIOS) - 1
    assert results["ratios"]["music/ditto2_seconds_6s"]["met"]
    assert not results["ratios"]["music/ditto_over_ditto2"]["met"]
    printed = capsys.readouterr()
    assert "| six seconds by DITTO-2 | 2.5 s |" in printed.out
    assert "robot is not measured" in printed.err
    monkeypatch.setattr(command, "load", lambda: 4.0)
    with pytest.warns(Notice, match=r"other programs are running \(load 4.0\)"):
        assert main(["bench", "all", "--only", "music"]) == 0


def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "only: no 'speach'; did you mean 'speech'?" in complain(
        capsys, "bench all --only speach"
    )
