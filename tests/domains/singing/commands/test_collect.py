"""Collections: melodies, lyrics, folders that grow, recordings with labels."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave
from oneleap.domains.singing.commands import collect
from oneleap.domains.singing.commands import collect_labels as labels
from oneleap.domains.singing.data.recordings import read_recordings
from oneleap.domains.singing.lyrics.phonemizer import SYLLABIC, Phonemizer
from oneleap.domains.singing.scores.musicxml import read_musicxml
from oneleap.domains.singing.scores.phrasing import score_to_segments
from oneleap.domains.singing.scores.score import Note, Score, uniform_bars
from oneleap.domains.singing.segments.hts import Label, write_labels
from oneleap.domains.singing.segments.hts_segments import segment_to_labels
from oneleap.domains.singing.segments.pitch import score_f0
from oneleap.domains.singing.segments.segment import Curve, ScoreSegment
from oneleap.domains.singing.segments.timing import fit_to_notes
from oneleap.domains.singing.synthetic import sinsy
from oneleap.domains.singing.synthetic.melodies import (
    HIGHEST_MIDI,
    LOWEST_MIDI,
    MAX_RANGE,
    Melody,
    random_melodies,
)
from oneleap.domains.singing.synthetic.random_lyrics import melody_to_score

for module in ("soundfile", "pyworld", "defusedxml"):
    pytest.importorskip(module)


def songs(count: int) -> list[Score]:
    melodies = islice(random_melodies(np.random.default_rng(5)), count)
    return [melody_to_score(melody, np.random.default_rng(k)) for k, melody in enumerate(melodies)]


def test_invented_melodies_can_be_sung() -> None:
    for melody in islice(random_melodies(np.random.default_rng(0)), 30):
        pitches = [p for p, _ in melody.notes if p is not None]
        assert min(pitches) >= LOWEST_MIDI
        assert max(pitches) <= HIGHEST_MIDI
        assert max(pitches) - min(pitches) <= MAX_RANGE
        assert sum(beats for _, beats in melody.notes) % 4 == 0


ABC = """X:7
T: ES FREIT
M: 2/4
L: 1/16
K: F
C2 | F2F2F2G2 | A2G2F4 | (3c2c2c2 z4 | f8- | f8 | A2F2F4 | c2c2c2c2 | F8
"""


def test_folk_songs_are_read_from_abc() -> None:
    pytest.importorskip("music21")
    from oneleap.domains.singing.synthetic.melodies import _is_singable, _parse_tune, _split_tunes

    (first, second) = _split_tunes(ABC + "\n" + ABC)
    assert first.strip() == second.strip() == ABC.strip()
    found = _parse_tune(Path("a.abc"), first)
    assert found is not None
    assert found.source == "essenFolksong/a.abc, X:7"
    assert found.notes[:3] == ((60, Fraction(1, 2)), (65, Fraction(1, 2)), (65, Fraction(1, 2)))
    assert found.notes[8] == (72, Fraction(1, 3))  # of a triplet
    assert (None, Fraction(1)) in found.notes
    assert (77, Fraction(4)) in found.notes  # the tie is one note
    assert not _is_singable(found)  # too wide for one song


def test_words_fit_the_melody() -> None:
    lyrics = set()
    for score in songs(20):
        assert score.notes[0].midi is None
        assert score.notes[-1].midi is None
        assert all(LOWEST_MIDI <= n.midi <= HIGHEST_MIDI for n in score.notes if n.midi is not None)
        lyrics |= {n.lyric for n in score.notes}
        for segment in score_to_segments(score, Phonemizer()):
            assert segment.seconds < 20
    assert len(lyrics) > 120
    assert any("っ" in lyric for lyric in lyrics)
    assert any(len(lyric) > 1 and lyric.endswith("ん") for lyric in lyrics)


def test_the_same_seed_makes_the_same_song() -> None:
    assert songs(2) == songs(2)
    melody = Melody("m", "s", ((60, Fraction(4)), (62, Fraction(4))), (4, 4))
    shifts = {melody_to_score(melody, np.random.default_rng(k)).notes[1].midi for k in range(40)}
    assert len(shifts) > 10


def test_slurs_are_handed_to_the_voice_as_long_vowels() -> None:
    notes = (Note(Fraction(1), 69.0, "さ"), Note(Fraction(1), 71.0, slur=True))
    score = sinsy.slurs_to_long_vowels(Score(notes, uniform_bars(Fraction(2))))
    assert [(n.lyric, n.slur) for n in score.notes] == [("さ", False), ("ー", False)]


def test_the_voice_sings_slurs() -> None:
    pytest.importorskip("pysinsy")
    if shutil.which("hts_engine") is None:
        pytest.skip("hts_engine is not installed")
    rest = Note(Fraction(2), None)
    notes = (Note(Fraction(2), 69.0, "さ"), Note(Fraction(2), 72.0, slur=True))
    score = Score((rest, *notes, rest), uniform_bars(Fraction(8)))
    segment = sinsy.Sinsy().sing(score).segment
    assert segment.ph_seq == ("SP", "s", "a", "SP")
    assert segment.note_slur == (False, False, True, False)
    assert segment.f0 is not None
    first = round(sum(segment.note_dur[:2]) / segment.f0.step_s)
    slur = segment.f0.values[first + 20 : first + round(segment.note_dur[2] / 0.005) - 20]
    assert np.abs(12 * np.log2(slur / 440) - 3).max() < 0.5


class Mime:
    """In Sinsy's place: long vowels, and the notes' own pitch."""

    def labels(self, score: Score) -> tuple[str, ...]:
        (whole,) = score_to_segments(score, Phonemizer(), min_rest_s=1e9, max_phrase_s=1e9)
        weights = (9.0 if ph in SYLLABIC else 1.0 for ph in whole.ph_seq)
        timed = fit_to_notes(whole, tuple(weights))
        return tuple(label.line for label in segment_to_labels(timed))

    def render(self, lines: tuple[str, ...], semitones: int = 0) -> sinsy.Performance:
        from oneleap.domains.singing.segments.hts import parse_labels
        from oneleap.domains.singing.segments.hts_segments import labels_to_segment
        from oneleap.domains.singing.segments.transforms import transpose

        found = transpose(labels_to_segment(parse_labels(lines), SYLLABIC), float(semitones))
        count = round(found.seconds / 0.005)
        f0 = Curve(score_f0(found, 0.005, count), 0.005)
        samples = np.full(round(found.seconds * 1000), 0.1, np.float32)
        return sinsy.Performance(replace(found, f0=f0), Wave(samples, 1000))


@pytest.fixture
def mimed(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """Count how many songs were sung."""
    count = [0]

    class Counted(Mime):
        def render(self, lines: tuple[str, ...], semitones: int = 0) -> sinsy.Performance:
            count[0] += 1
            return super().render(lines, semitones)

    monkeypatch.setattr(collect, "Sinsy", Counted)
    return lambda: count[0]


def test_a_collection_grows_and_goes_on(tmp_path: Path, mimed: Callable[[], int]) -> None:
    out = tmp_path / "data"
    collect.singing(songs=1, melodies="invented", out=out)
    once = (out / "transcriptions.csv").read_text()
    collect.singing(songs=3, melodies="invented", out=out)
    assert mimed() == 3
    (out / "songs" / "invented_0001.ds").unlink()  # as if broken off there
    collect.singing(songs=3, melodies="invented", out=out)
    assert mimed() == 4
    found = read_recordings(out)
    assert (out / "transcriptions.csv").read_text().startswith(once)
    assert {r.segment.name.rpartition("_")[0] for r in found} == {
        f"invented_{k:04d}" for k in range(3)
    }
    for recording in found:
        segment = recording.segment
        assert segment.f0 is not None
        assert sum(segment.note_dur) == pytest.approx(segment.seconds, abs=1e-5)
        assert len(segment.f0.values) == pytest.approx(segment.seconds / 0.005, abs=1)
    score = read_musicxml(out / "songs" / "invented_0002.musicxml")
    assert score.title == "Invented 3"
    card = (out / "README.md").read_text()
    assert "CC BY 3.0" in card
    assert "Invented 3" in card
    with pytest.raises(InputError, match="collection with other settings"):
        collect.singing(songs=3, melodies="invented", seed=1, out=out)
    with pytest.raises(InputError, match="must be positive"):
        collect.singing(songs=0, out=out)


def test_another_folder_is_left_alone(tmp_path: Path, mimed: Callable[[], int]) -> None:
    (tmp_path / "transcriptions.csv").write_text("name,ph_seq\n")
    with pytest.raises(InputError, match="holds other recordings"):
        collect.singing(songs=1, melodies="invented", out=tmp_path)
    assert mimed() == 0
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "pysinsy", None)
    with pytest.raises(InputError, match="pysinsy is not installed: pip install cython"):
        sinsy.Sinsy()


def test_scores_are_sung_where_the_voice_is_true() -> None:
    notes = tuple(Note(Fraction(1), 53.0 + k, "あ") for k in range(12))
    score = Score(notes, uniform_bars(Fraction(12)))
    away = sinsy.comfortable_shift(score)
    moved = [n.midi for n in sinsy.transpose_score(score, away).notes if n.midi is not None]
    assert min(moved) >= sinsy.COMFORTABLE_RANGE[0]
    assert max(moved) <= sinsy.COMFORTABLE_RANGE[1]
    assert sinsy.comfortable_shift(sinsy.transpose_score(score, away)) == 0


def hummed(seconds: float, hertz: float, rate: int) -> Wave:
    """A voice of one pitch, between silences of 0.5 s."""
    t = np.arange(round(seconds * rate)) / rate
    tone = sum(np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, 9))
    inside = (t > 0.5) & (t < seconds - 0.5)
    return Wave((0.2 * np.where(inside, tone, 0.0)).astype(np.float32), rate)


def test_recordings_with_labels(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    hummed(2.5, 220.0, 16_000).save(folder / "one.wav")
    whole = ScoreSegment(
        ph_seq=("SP", "m", "a", "SP"),
        ph_num=(2, 1, 1),
        ph_dur=(0.5, 0.1, 1.4, 0.5),
        note_midi=(None, 57.0, None),
        note_dur=(0.6, 1.4, 0.5),
        note_slur=(False,) * 3,
    )
    write_labels(folder / "one.lab", segment_to_labels(whole))
    (folder / "COPYING").write_text("free")
    labels.labels(folder, out, sample_rate=16_000)
    (found,) = read_recordings(out)
    assert found.segment.ph_seq == whole.ph_seq
    assert found.segment.ph_dur == pytest.approx((0.25, 0.1, 1.4, 0.25))
    assert found.segment.f0 is not None
    voiced = found.segment.f0.values[100:280]
    np.testing.assert_allclose(voiced, 220.0, rtol=0.01)
    assert (out / "COPYING").read_text() == "free"
    with pytest.raises(InputError, match="holds recordings already"):
        labels.labels(folder, out)
    (folder / "one.lab").unlink()
    with pytest.raises(InputError, match="no such file; each recording needs its labels"):
        labels.labels(folder, tmp_path / "other")


def test_labels_longer_than_the_sound(tmp_path: Path) -> None:
    hummed(1.5, 220.0, 16_000).save(tmp_path / "in" / "one.wav")
    write_labels(tmp_path / "in" / "one.lab", [Label(0, 20_000_000, "x@a^a-pau+a=a_x/E:xx]x/F:x")])
    with pytest.raises(InputError, match=r"labels last 2\.00 s, but the sound only 1\.50 s"):
        labels.labels(tmp_path / "in", tmp_path / "out")
    assert not (tmp_path / "out").exists()
