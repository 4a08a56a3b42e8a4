"""Evaluation of voices, with a recognizer and a DNSMOS whose results are known."""

import json
from pathlib import Path

import pytest
from support.tiny_speech import MEL, acoustic, vocoder, write_corpus

from oneleap.core.files import atomic_write
from oneleap.core.sampling.samplers import EulerSampler, FlowMapSampler
from oneleap.domains.audio.wave import Wave
from oneleap.domains.main import main
from oneleap.domains.speech import Voice
from oneleap.domains.speech.evaluation import measures
from oneleap.domains.speech.evaluation.comparison import distinct_names
from oneleap.domains.speech.evaluation.held_out import load_held_out
from oneleap.domains.speech.evaluation.recognition import Recognizer
from oneleap.domains.speech.spec import Spec

CONFIG = """
data:
  class_path: oneleap.domains.speech.SpeechData
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
        with atomic_write(tmp_path / name / "config.yaml") as path:
            path.write_text(CONFIG.format(corpus=corpus))
    vocoder().save_pretrained(tmp_path / "vocoder" / "model", card="# v\n")
    return folder


@pytest.fixture(autouse=True)
def recognized(monkeypatch: pytest.MonkeyPatch) -> list[Wave]:
    """Recognize one word, rate every sound alike, and record the sounds."""
    sounds: list[Wave] = []

    def recognize(self: Recognizer, wave: Wave) -> str:
        sounds.append(wave)
        return "hello"

    monkeypatch.setattr(Recognizer, "__call__", recognize)
    monkeypatch.setattr(measures, "dnsmos", lambda wave: 3.0)
    return sounds


def test_models_stand_side_by_side_with_the_recordings(
    run: Path,
    recognized: list[Wave],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    text = run.parent / "said.txt"
    text.write_text("Hello.\n\nHello you.\n")
    argv = [str(run), "--compare", str(run.parent / "teacher"), "--sentences", str(text)]
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
    held_out = round(0.3 * 8)
    assert len(recognized) == 2 * held_out + 3 * 2
    assert (run / "spectrograms.png").read_bytes().startswith(b"\x89PNG")
    assert "teacher, 3 steps" in capsys.readouterr().out


def test_folders_of_the_same_name_get_distinct_names() -> None:
    assert distinct_names([Path("runs/split/0"), Path("runs/flow/1")]) == ["0", "1"]
    assert distinct_names([Path("runs/split/0"), Path("runs/flow/0")]) == ["split/0", "flow/0"]
    assert distinct_names([Path("a/0"), Path("a/0")]) == ["0", "0"]


def test_a_voice_is_evaluated_without_its_recordings(run: Path, recognized: list[Wave]) -> None:
    voice = Voice.load(run, vocoder=run.parent / "vocoder")
    voice.save(run.parent / "voice", card="# v\n")
    assert main(["evaluate", str(run.parent / "voice"), "--limit", "2", "--steps", "[1]"]) == 0
    found = json.loads((run.parent / "voice" / "evaluation.json").read_text())
    assert found["sentences"] == len(recognized) == 2
    assert "voice_1_mel_l1" not in found
    assert not (run.parent / "voice" / "spectrograms.png").exists()


def test_the_distance_is_measured_at_the_timing_of_the_recording(run: Path) -> None:
    model = Voice.load(run).acoustic
    held_out = load_held_out(run, model, None)
    assert held_out is not None
    assert [utterance.source.path.stem for utterance in held_out.utterances] == sorted(
        utterance.source.path.stem for utterance in held_out.utterances
    )
    pairs = list(zip(held_out.synthesize(model, 2), held_out.features, strict=True))
    assert all(a.shape == b.shape for a, b in pairs)
    by_hand = [(a - b).abs().mean() for a, b in pairs]
    assert held_out.mel_distance(model, 2) == pytest.approx(
        float(sum(by_hand)) / len(by_hand) * MEL.std
    )
    assert held_out.mel_distance(model, 1) != held_out.mel_distance(model, 2)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--limit", "0"], "limit: 0 is not positive"),
        (["--sentences", "none.txt"], "sentences: none.txt cannot be read"),
        (["--sentences", "empty.txt"], "nothing to say"),
        (["--speaker", "nobody"], "no 'nobody'"),
        (["--steps", "[0]"], "steps: at least 1"),
        (["--vocoder", "nowhere"], "vocoder: nowhere: no such folder"),
    ],
)
def test_wrong_settings_are_rejected_in_one_line(
    run: Path,
    argv: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(run.parent)
    Path("empty.txt").write_text("\n")
    assert main(["evaluate", str(run), *argv]) == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1
    assert message in lines[0]
    assert not (run / "evaluation.json").exists()
