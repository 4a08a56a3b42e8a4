"""Folders of recordings: reading, caching, batching by length, and messages about wrong ones."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_speech import MEL, RATE, write_corpus

from oneleap.core.errors import InputError, Notice
from oneleap.domains.audio.pitch import PitchFormat
from oneleap.domains.speech.data.datamodule import SpeechData
from oneleap.domains.speech.data.ljspeech import read_ljspeech
from oneleap.domains.speech.spec import UtteranceBatch
from oneleap.domains.speech.text.symbols import KOKORO_SYMBOLS

soundfile = pytest.importorskip("soundfile")
pytest.importorskip("soxr")


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_corpus(tmp_path / "corpus", clips=9)


def data(*folders: Path, **settings: object) -> SpeechData:
    given = {"mel": MEL, "ipa": True, "batch_size": 4, **settings}
    return SpeechData(tuple(map(str, folders)), **given)  # type: ignore[arg-type]


def first(speech: SpeechData, n: int) -> list[UtteranceBatch]:
    return [batch for batch, _ in zip(speech.train_dataloader(), range(n), strict=False)]


def test_a_corpus_is_read(corpus: Path) -> None:
    speech = data(corpus)
    train, held_out = speech.utterances
    assert (len(train), len(held_out)) == (8, 1)
    assert speech.spec.speakers == ("corpus",)
    assert all(len(c.tokens) <= c.features.shape[1] for c in train)
    batch = first(speech, 1)[0]
    assert batch.features.shape[:2] == (4, MEL.n_mels)
    assert batch.tokens.shape[1] == int(batch.lengths.max())


def test_batches_are_a_function_of_seed_and_step_and_cover_an_epoch(corpus: Path) -> None:
    one, two, other = (first(data(corpus, seed=s), 4) for s in (0, 0, 1))
    for a, b in zip(one, two, strict=True):
        assert all(torch.equal(x, y) for x, y in zip(a[:5], b[:5], strict=True))
    seen = {tuple(row.flatten().tolist()[:5]) for batch in one[:2] for row in batch.features}
    assert len(seen) == 8
    assert any(not torch.equal(a.features, b.features) for a, b in zip(one, other, strict=True))


def test_a_batch_has_similar_lengths_in_random_order(tmp_path: Path) -> None:
    for i in range(4):
        write_corpus(tmp_path / f"s{i}", clips=12, seconds=0.6 + 0.4 * i)
    speech = data(*(tmp_path / f"s{i}" for i in range(4)), batch_size=8)
    batches = first(speech, 10)
    assert any(not torch.equal(b.frames, b.frames.sort().values) for b in batches)
    spread = torch.stack([b.frames.max() - b.frames.min() for b in batches]).float().mean()
    assert spread < 0.5 * (max(b.frames.max() for b in batches) - 10)


def test_features_are_cached_by_their_settings(corpus: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    plain, kept = data(corpus).utterances[0], data(corpus, cache=str(cache)).utterances[0]
    files = sorted(cache.iterdir())
    assert len(files) == 9
    again = data(corpus, cache=str(cache)).utterances[0]
    for a, b, c in zip(plain, kept, again, strict=True):
        assert torch.equal(a.features, b.features)
        assert torch.equal(a.features, c.features)
    _ = data(corpus, cache=str(cache), mel=replace(MEL, n_mels=12)).utterances
    assert len(list(cache.iterdir())) == 18


def test_several_speakers(corpus: Path, tmp_path: Path) -> None:
    other = write_corpus(tmp_path / "other", clips=5)
    speech = data(corpus, other, repeat=(1, 3))
    assert speech.spec.speakers == ("corpus", "other")
    train, held_out = speech.utterances
    assert [sum(c.speaker == k for c in train) for k in (0, 1)] == [8, 12]
    assert {c.speaker for c in held_out} == {0, 1}
    with pytest.raises(InputError, match="two folders give their speakers the same name"):
        _ = data(corpus, tmp_path / "x" / "corpus").spec


def test_recordings_and_lines_that_do_not_fit_are_left_out(corpus: Path) -> None:
    (corpus / "wavs" / "c1.wav").rename(corpus / "wavs" / "extra.wav")
    with pytest.warns(Notice, match=r"1 lines without a recording .*line 2: c1.*\(extra.wav\)"):
        train, held_out = data(corpus).utterances
    assert (len(train), len(held_out)) == (7, 1)


def write(name: str, text: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        (folder / name).write_text(text, encoding="utf-8")

    return change


def silence(folder: Path) -> None:
    soundfile.write(folder / "wavs" / "c1.wav", torch.zeros(RATE).numpy(), RATE)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (silence, r"c1.wav: is silent"),
        (write("wavs/c1.wav", "text"), r"c1.wav: cannot be read as sound"),
        (write("metadata.csv", "c0"), r"1 lines without name\|text \(line 1\)"),
        (write("metadata.csv", "c0|"), r"1 recordings without a text \(c0.wav\)"),
        (write("metadata.csv", ""), r"holds no transcripts"),
    ],
)
def test_a_wrong_corpus_is_rejected_in_one_line(
    change: Callable[[Path], None], message: str, corpus: Path
) -> None:
    change(corpus)
    with pytest.raises(InputError, match=message) as error:
        _ = data(corpus).utterances
    assert "\n" not in str(error.value)


def test_a_folder_of_another_layout_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        read_ljspeech(tmp_path / "none")
    with pytest.raises(InputError, match=r"metadata.csv: no such file; the layout of LJSpeech"):
        read_ljspeech(tmp_path)


def test_an_unknown_symbol_is_rejected_with_its_line(corpus: Path) -> None:
    text = (corpus / "metadata.csv").read_text(encoding="utf-8")
    (corpus / "metadata.csv").write_text(text.replace("btˈɛst", "bжst", 1), encoding="utf-8")
    with pytest.raises(InputError, match=r"metadata.csv, line 2: 'ж' \(CYRILLIC"):
        _ = data(corpus).utterances


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size: 0"),
        ({"validation": 0.0}, "validation: must be between"),
        ({"repeat": (1, 2)}, "repeat: needs a positive number for each of 1"),
        ({"longest_s": 0.01}, "no recording of at most longest_s 0.01 s is left"),
    ],
)
def test_wrong_settings_are_rejected(
    settings: dict[str, object], message: str, corpus: Path
) -> None:
    with pytest.raises(InputError, match=message):
        _ = data(corpus, **settings).utterances


def write_alignment(corpus: Path, seconds: float = 1.0, symbol: str = "ə") -> None:
    rows = [
        {
            "name": f"c{i}",
            "phonemes": ["^", "t", symbol, "$"],
            "durations_s": [0.1, 0.25 * seconds, 0.4 * seconds, 0.35 * seconds - 0.1],
        }
        for i in range(9)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (corpus / "alignment.jsonl").write_text(lines, encoding="utf-8")


def test_alignments_give_tokens_and_durations(corpus: Path) -> None:
    write_alignment(corpus)
    speech = data(corpus, trim_db=None, phonemizer="english")
    batch = first(speech, 1)[0]
    assert speech.spec.symbols == KOKORO_SYMBOLS
    assert batch.durations is not None
    assert torch.equal(batch.durations.sum(1), batch.frames)
    expected = [round(0.1 * MEL.frame_rate), round(0.35 * MEL.frame_rate)]
    assert batch.durations[0].cumsum(0)[:2].tolist() == expected
    assert batch.tokens[0].tolist() == [KOKORO_SYMBOLS.index(c) for c in "^tə$"]


def test_pitch_is_two_more_features(corpus: Path) -> None:
    (corpus / "f0").mkdir()
    for i in range(9):
        np.save(corpus / "f0" / f"c{i}.npy", np.r_[np.zeros(100), np.full(101, 300.0)])
    speech = data(corpus, trim_db=None, pitch=PitchFormat(center_hz=150.0, scale=0.5))
    utterance = speech.utterances[0][0]
    assert utterance.features.shape[0] == MEL.n_mels + 2 == speech.spec.channels
    torch.testing.assert_close(utterance.features[-2, -1].item(), math.log(2) / 0.5)
    assert (utterance.features[-1] > 0).float().mean().item() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(
    ("settings", "change", "message"),
    [
        ({}, {"seconds": 0.5}, "durations end after 0.50 s, the recording after 0.99 s"),
        ({}, {"symbol": "ß"}, "'ß' is no symbol of the alphabet: set data.phonemizer"),
    ],
)
def test_wrong_alignments_are_named(
    corpus: Path, settings: dict[str, object], change: dict[str, object], message: str
) -> None:
    write_alignment(corpus, **change)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=message):
        data(corpus, trim_db=None, phonemizer="english").utterances  # noqa: B018


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "line 1: expected an object with name, phonemes and durations_s"),
        ('{"name": "c0", "phonemes": ["a"], "durations_s": []}', "0 durations for 1 phonemes"),
        ('{"name": "c0", "phonemes": ["a"], "durations_s": [-1]}', "negative or no number"),
    ],
)
def test_broken_lines_of_alignments_are_named(corpus: Path, line: str, message: str) -> None:
    (corpus / "alignment.jsonl").write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        data(corpus).utterances  # noqa: B018
