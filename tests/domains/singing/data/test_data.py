"""Songs in openvpi's layout to batches; from training to figures by the command line."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_singing import MEL, RATE, write_corpus

from oneleap.core.errors import InputError
from oneleap.domains.main import main
from oneleap.domains.singing.data.datamodule import SingingData, song_of

pytest.importorskip("soundfile")
pytest.importorskip("pyworld")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "songs")


def data(folder: Path, **settings: object) -> SingingData:
    given: dict[str, object] = {"mel": MEL, "batch_size": 4, "validation": 0.25} | settings
    return SingingData((str(folder),), **given)  # type: ignore[arg-type]


def test_whole_songs_are_set_aside(folder: Path) -> None:
    module = data(folder)
    train, aside = module.clips
    assert (len(train), len(aside)) == (6, 2)
    assert song_of("a_song_03") == "a_song"
    assert len(module.held) == 2
    assert len({song_of(name) for name in module.held}) == 1
    assert data(folder, seed=0).held == module.held


def test_the_spec_is_read_off_the_table(folder: Path) -> None:
    spec = data(folder).spec
    assert spec.phonemes == ("AP", "SP", "a", "i", "k", "n")
    assert (spec.lowest, spec.highest) == (57.0, 64.0)


def test_pitch_and_spectrum_belong_to_the_score(folder: Path) -> None:
    row, take = data(folder).clips[0][0]
    frames = take.mel.shape[1]
    assert int(row.each.sum()) == frames == len(take.f0) == len(row.base)
    steady = slice(round(0.3 * MEL.frame_rate), round(0.42 * MEL.frame_rate))
    cents = 1200 * np.log2(take.f0[steady].numpy() / (440 * 2 ** ((row.notes[1].item() - 69) / 12)))
    assert np.abs(np.median(cents)) < 20


def test_energy_and_breath_are_decibels(folder: Path) -> None:
    _, take = data(folder, curves=True).clips[0][0]
    middle = round(0.35 * MEL.frame_rate)
    assert float(take.energy[middle]) == pytest.approx(-15, abs=4)  # of a sawtooth of 0.25
    assert float(take.energy[1]) < -40
    assert (take.breathiness <= take.energy + 1e-3).all()


def test_batches_are_a_function_of_seed_and_step(folder: Path) -> None:
    module = data(folder)
    one, two = (next(iter(module.train_dataloader())) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert len(one.tokens) == 4
    (batch,) = module.val_dataloader()
    assert len(batch.tokens) == 4  # two phrases, twice


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size"),
        ({"validation": 1.0}, "validation"),
        ({"longest_s": 0.5}, "longest_s"),
    ],
)
def test_bad_settings_are_told(settings: dict[str, object], message: str, folder: Path) -> None:
    with pytest.raises(InputError, match=message):
        _ = data(folder, **settings).spec


def test_a_recording_of_another_length_is_told(folder: Path) -> None:
    import soundfile

    soundfile.write(folder / "wavs" / "song0_0.wav", 0.1 * np.ones(3 * RATE), RATE)
    with pytest.raises(InputError, match=r"song0_0\.wav: lasts 2\.99 s, its ph_dur 1\.20 s"):
        _ = data(folder).clips


def test_of_one_song_a_phrase_is_set_aside(tmp_path: Path) -> None:
    module = data(write_corpus(tmp_path / "one", songs=1, phrases=3))
    assert [len(clips) for clips in module.clips] == [2, 1]
    with pytest.raises(InputError, match="one phrase is too few"):
        _ = data(write_corpus(tmp_path / "short", songs=1, phrases=1)).held


MEL_ARGUMENT = "{sample_rate: 8000, n_fft: 256, hop: 128, window: 256, n_mels: 10, fmax: 4000.0}"
ENCODER = "{width: 16, depth: 1, heads: 2, hidden: 16}"
LYNXConfig = [
    "--model.decoder",
    "oneleap.domains.singing.LYNXConfig",
    "--model.decoder.width",
    "16",
]
LYNXConfig += ["--model.decoder.depth", "1"]


def fit(config: str, run: str, *more: str, size: int = 8) -> None:
    data = ["--data.path", "[songs]", "--data.mel", MEL_ARGUMENT, "--data.validation", "0.25"]
    words = ["fit", "--config", config, "--run", run, *data, "--data.batch_size", str(size)]
    steps = ["--trainer.max_steps", "2", "--trainer.val_check_interval", "2"]
    assert main([*words, *steps, "--trainer.accelerator", "cpu", *more]) == 0


@pytest.mark.slow
def test_from_songs_to_a_singer_and_its_figures(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder.parent)
    small = ["--model.encoder", ENCODER]
    fit("singing/flow", "runs/flow", *small, *LYNXConfig)
    teacher = ["--model.teacher", "runs/flow/model"]
    fit("singing/splitmeanflow-shallow", "runs/student", *small, *LYNXConfig, *teacher)
    fit("singing/durations", "runs/durations", *small)
    fit("singing/pitch", "runs/pitch", *small, *LYNXConfig)
    vocoder = ["--data.path", "[songs/wavs]", "--data.seconds", "0.3", "--model.width", "16"]
    fit("audio/nsf_singing", "runs/nsf", *vocoder)
    parts = ("--durations", "runs/durations", "--pitch", "runs/pitch")
    others = ["--others", "[runs/flow]", "--most", "2", "--json", "figures.json"]
    words = ["evaluate", "runs/student", "--vocoder", "runs/nsf", *parts, *others]
    assert main(words) == 0
    figures = json.loads(Path("figures.json").read_text())
    assert figures["recording/cents"] < 20
    assert figures["recording/rpa"] > 90
    for row in ("rough (FFT)", "runs/student", "runs/flow"):
        assert {f"{row}/{name}" for name in ("mel_l1", "mcd_db", "rpa", "rtf")} <= set(figures)
    assert figures["score to sound/timing_ms"] >= 0
    assert Path("runs/student/spectrograms.png").stat().st_size > 1000
    assert main(["evaluate", "runs/durations", "--most", "2"]) == 0
    assert main(["evaluate", "runs/pitch", "--most", "2"]) == 0
    words = ["boundary", "runs/flow", "--steps", "3", "--most", "1"]
    assert main([*words, "--candidates", "[2, 100]"]) == 0
    found = json.loads(Path("runs/flow/boundary.json").read_text())
    assert 1 <= found["classifier"] <= 100
    assert found["distance"] in (2, 100)
    models = [f"runs/{name}" for name in ("student", "durations", "pitch", "nsf")]
    assert main(["singer", *models, "mine"]) == 0
    assert main(["bench", "singing", "--voice", "mine", "--calls", "1", "--json", "b.json"]) == 0
    wanted = {"sing_rtf_1step", "ddpm100_over_1step", "flow20_over_1step"}
    assert wanted <= set(json.loads(Path("b.json").read_text()))


def test_a_run_of_other_data_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from support.tiny_singing import acoustic

    monkeypatch.chdir(tmp_path)
    acoustic().save_pretrained("run/model")
    assert main(["evaluate", "run"]) == 2
    assert "config.yaml: no such file" in capsys.readouterr().err
