"""Evaluation of voices, its judges replaced by ones whose verdict is known."""

import json
from pathlib import Path

import pytest
from support.tiny_speech import MEL, acoustic, vocoder, write_corpus

from oneleap.core.files import replacing
from oneleap.core.sampling.samplers import EulerSampler, FlowMapSampler
from oneleap.domains.audio.wave import Wave
from oneleap.domains.main import main
from oneleap.domains.speech import Voice
from oneleap.domains.speech.commands import evaluate
from oneleap.domains.speech.commands.evaluate import HARVARD, told_apart
from oneleap.domains.speech.data.held_out import held_out
from oneleap.domains.speech.evaluation.recognition import Recogniser
from oneleap.domains.speech.spec import Spec

CONFIG = """
data:
  class_path: oneleap.domains.speech.data.datamodule.Speech
  init_args:
    path: [{corpus}]
    ipa: true
    validation: 0.3
    batch_size: 2
    mel: {{sample_rate: 8000, n_fft: 256, hop: 128, window: 256, n_mels: 10, fmax: 4000.0}}
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    corpus = write_corpus(tmp_path / "someone")
    folder = tmp_path / "student"
    spec = Spec(MEL, speakers=("someone",))
    acoustic(spec=spec, sampler=FlowMapSampler()).save_pretrained(folder / "model", card="# s\n")
    acoustic(spec=spec, sampler=EulerSampler(3)).save_pretrained(
        tmp_path / "teacher/model", card="# t\n"
    )
    for name in ("student", "teacher"):
        with replacing(tmp_path / name / "config.yaml") as path:
            path.write_text(CONFIG.format(corpus=corpus))
    vocoder().save_pretrained(tmp_path / "vocoder" / "model", card="# v\n")
    return folder


@pytest.fixture(autouse=True)
def judges(monkeypatch: pytest.MonkeyPatch) -> list[Wave]:
    """Understand one word and find everything fair; what was heard is kept."""
    heard: list[Wave] = []

    def understood(self: Recogniser, wave: Wave) -> str:
        heard.append(wave)
        return "hello"

    monkeypatch.setattr(Recogniser, "__call__", understood)
    monkeypatch.setattr(evaluate, "dnsmos", lambda wave: 3.0)
    return heard


def test_models_stand_side_by_side_with_the_recordings(
    run: Path,
    judges: list[Wave],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    text = run.parent / "said.txt"
    text.write_text("Hello.\n\nHello you.\n")
    argv = [str(run), "--others", f"[{run.parent / 'teacher'}]", "--sentences", str(text)]
    argv += ["--vocoder", str(run.parent / "vocoder"), "--steps", "[1,2]"]
    assert main(["evaluate", *argv]) == 0
    found = json.loads((run / "evaluation.json").read_text())
    for key in ("student_1", "student_2", "teacher_3"):
        assert found[f"{key}_wer"] == pytest.approx(1 / 3)
        assert found[f"{key}_dnsmos"] == 3
        assert found[f"{key}_mel_l1"] > 0
        assert 0 < found[f"{key}_acoustic_rtf"] < found[f"{key}_rtf"]
    assert "recordings_wer" in found
    assert "recordings_mel_l1" not in found
    held = round(0.3 * 8)
    assert len(judges) == 2 * held + 3 * 2
    assert (run / "spectrograms.png").read_bytes().startswith(b"\x89PNG")
    assert "teacher, 3 steps" in capsys.readouterr().out


def test_folders_of_one_name_are_told_apart() -> None:
    assert told_apart([Path("runs/split/0"), Path("runs/flow/1")]) == ["0", "1"]
    assert told_apart([Path("runs/split/0"), Path("runs/flow/0")]) == ["split/0", "flow/0"]
    assert told_apart([Path("a/0"), Path("a/0")]) == ["0", "0"]


def test_a_voice_is_evaluated_without_its_recordings(run: Path, judges: list[Wave]) -> None:
    voice = Voice.load(run, vocoder=run.parent / "vocoder")
    voice.save(run.parent / "voice", card="# v\n")
    assert main(["evaluate", str(run.parent / "voice"), "--most", "2", "--steps", "[1]"]) == 0
    found = json.loads((run.parent / "voice" / "evaluation.json").read_text())
    assert found["sentences"] == len(judges) == 2
    assert "voice_1_mel_l1" not in found
    assert not (run.parent / "voice" / "spectrograms.png").exists()


def test_the_distance_is_that_of_the_recording_as_it_is_timed(run: Path) -> None:
    model = Voice.load(run).acoustic
    held = held_out(run, model, None)
    assert held is not None
    assert [clip.recording.path.stem for clip in held.clips] == sorted(
        clip.recording.path.stem for clip in held.clips
    )
    pairs = list(zip(held.made(model, 2), held.mels, strict=True))
    assert all(a.shape == b.shape for a, b in pairs)
    by_hand = [(a - b).abs().mean() for a, b in pairs]
    assert held.distance(model, 2) == pytest.approx(float(sum(by_hand)) / len(by_hand) * MEL.std)
    assert held.distance(model, 1) != held.distance(model, 2)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--most", "0"], "most: 0 is not positive"),
        (["--sentences", "none.txt"], "sentences: none.txt cannot be read"),
        (["--sentences", "empty.txt"], "nothing to say"),
        (["--speaker", "nobody"], "no 'nobody'"),
        (["--steps", "[0]"], "steps: at least 1"),
        (["--vocoder", "nowhere"], "vocoder: nowhere: no such folder"),
    ],
)
def test_bad_settings_are_told_in_a_line(
    run: Path,
    argv: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(run.parent)
    Path("empty.txt").write_text("\n")
    assert main(["evaluate", str(run), *argv]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert len(told) == 1
    assert message in told[0]
    assert not (run / "evaluation.json").exists()


def test_the_sentences_lie_beside_the_code() -> None:
    assert (Path(evaluate.__file__).parent / HARVARD).is_file()
