"""``oneleap report``: one page about a run of any domain, which needs nothing else."""

import json
import re
import shutil
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from support.tiny import complain

from oneleap.core.report import png
from oneleap.domains.main import main
from oneleap.domains.report.sections import MAX_CURVES, count_weights

for module in ("soundfile", "gymnasium", "pyworld"):
    pytest.importorskip(module)

LEGACY = Path(__file__).parents[2] / "legacy"


class Page(HTMLParser):
    """What a page holds."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.html = path.read_text(encoding="utf-8")
        self.feed(self.html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, name: str) -> int:
        return sum(tag == name for tag, _ in self.tags)

    @property
    def sections(self) -> list[str]:
        return [unescape(title) for title in re.findall(r"<h2>(.*?)</h2>", self.html)]

    def assert_alone(self) -> None:
        """Assert that a browser fetches nothing for this page."""
        assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in self.tags}
        for _, attributes in self.tags:
            for name in ("src", "href", "srcset", "poster"):
                assert (attributes.get(name) or "data:").startswith("data:")
        (style,) = re.findall(r"<style>(.*?)</style>", self.html, re.DOTALL)
        assert "url(" not in style
        assert "@import" not in style


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def copied(name: str) -> Path:
    return Path(shutil.copytree(LEGACY / name, name))


def reported(*argv: str) -> Page:
    assert main(["report", *argv]) == 0
    page = Page(Path(argv[0]) / "report.html")
    page.assert_alone()
    return page


@pytest.mark.parametrize(
    ("name", "players", "said"),
    [
        ("rl_ofql", 0, "oneleap.domains.rl.OFQL"),
        ("robot_dm1", 0, "oneleap.domains.robot.RobotPolicy"),
        ("audio_vocos", 0, "Vocos"),
        ("speech_flow", 1, "Spectrogram"),
        ("music_flow", 1, "s of music without control"),
        ("singing_acoustic", 0, "one model alone cannot sing"),
    ],
)
def test_a_run_of_every_domain_has_a_page(name: str, players: int, said: str) -> None:
    copied(name)
    page = reported(name, "--text", "Hello.")
    assert page.count("audio") == players
    assert said in page.html
    wanted = ("What this is", "Results", "To make it again", "Environment", "Configuration")
    assert set(wanted) <= set(page.sections)
    assert f"oneleap fit --config {name}/config.yaml" in page.text
    assert Path(name, "config.yaml").read_text().strip() in page.text
    assert ("Learning curves" in page.sections) == Path(name, "metrics.csv").is_file()


def test_what_the_evaluation_wrote_is_in_the_page() -> None:
    from matplotlib.figure import Figure

    run = copied("rl_bc")
    figures = {"score": 51.25, "episodes": 20.0, "seed": 3, "note": "<b>bold</b>"}
    (run / "evaluation.json").write_text(json.dumps(figures))
    (run / "trajectories.png").write_bytes(png(Figure()))
    (run / "rollout.mp4").write_bytes(b"not really a video")
    page = reported("rl_bc")
    assert "51.25" in page.text
    assert "<b>bold</b>" in page.text
    assert page.count("b") == 0  # what a file says is text, never HTML
    assert page.count("video") == 1
    assert "oneleap evaluate rl_bc --episodes 20 --seed 3" in page.text
    assert "What the evaluation drew" in page.sections


def test_without_an_evaluation_the_page_says_how_to_make_one() -> None:
    copied("rl_bc")
    assert "There are none yet: oneleap evaluate rl_bc" in reported("rl_bc").text


def test_a_large_video_is_left_out_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from oneleap.domains.report import sections

    run = copied("rl_bc")
    monkeypatch.setattr(sections, "MAX_BYTES", 10)
    (run / "rollout.mp4").write_bytes(b"eleven bytes")
    page = reported("rl_bc")
    assert page.count("video") == 0
    assert "Too large for this page: rollout.mp4." in page.text


def test_curves_are_those_of_the_log() -> None:
    run = copied("rl_bc")
    names = [f"train/m{i}" for i in range(MAX_CURVES + 5)]
    rows = [f"{step},{','.join(str(step * i) for i in range(len(names)))}" for step in range(3)]
    (run / "metrics.csv").write_text("\n".join([f"step,{','.join(names)}", *rows]) + "\n")
    page = reported("rl_bc")
    captions = " ".join(re.findall(r"<figcaption>(.*?)</figcaption>", page.html))
    assert f"train/m{MAX_CURVES - 1}" in captions
    assert f"train/m{MAX_CURVES}" not in captions
    assert page.count("img") == MAX_CURVES // 3


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("evaluation.json", "[1]", "is not a JSON object: evaluate again"),
        ("evaluation.json", "{", "is not a JSON object: evaluate again"),
        ("metrics.csv", "step,a\nx,1\n", "is not the log of a run"),
        ("model/model.safetensors", "short", "cannot be read as weights"),
    ],
)
def test_a_damaged_file_is_named(
    file: str, text: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = copied("rl_bc")
    (run / file).write_text(text)
    line = complain(capsys, "report rl_bc")
    assert file in line
    assert message in line
    assert not (run / "report.html").exists()


def test_mistakes_are_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "did you mean 'heart'?" in complain(capsys, "report haert")
    assert "no such folder" in complain(capsys, "report nowhere/at/all")
    assert "these do: allison, emma, heart" in complain(capsys, "report nowhere/at/all")
    copied("rl_bc")
    Path("file").touch()
    assert "cannot be written" in complain(capsys, "report rl_bc --out file/page.html")


def test_a_model_that_ships_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "heart"]) == 0
    page = Page(Path("report/heart.html"))
    page.assert_alone()
    assert "A sentence" in page.sections
    assert page.count("audio") == page.count("img") == 1
    assert "oneleap report heart" in page.text
    assert "weights of acoustic" in page.text
    assert page.sections[1] == "Card"
    assert "No person was recorded for it" in page.text


def test_a_singer_that_ships_sings_in_its_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "lark"]) == 0
    page = Page(Path("report/lark.html"))
    page.assert_alone()
    assert page.count("audio") == 1
    assert "twinkle.musicxml" in page.text
    assert "voices/lark --data FOLDER_OF_RECORDINGS" in page.text


def test_a_singer_without_a_score_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from oneleap.domains.report import sounds

    monkeypatch.setattr(sounds, "EXAMPLES", tmp_path)
    assert main(["report", "song070"]) == 0
    text = Page(Path("report/song070.html")).text
    assert "no score to sing comes with this installation: name one with --score" in text


def test_weights_are_counted() -> None:
    from safetensors.torch import load_file

    file = LEGACY / "rl_bc" / "model" / "model.safetensors"
    assert count_weights(file) == sum(x.numel() for x in load_file(file).values())
