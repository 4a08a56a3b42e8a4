"""A singer: from a score to sound, saved and loaded, in another key and tempo; its commands."""

import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from support.tiny_singing import (
    DECODER,
    MEL,
    RATE,
    SCORE,
    SMALL,
    SPEC,
    TIMED,
    acoustic,
    curves,
    durations,
    shaken,
    vocoder,
)

from oneleap.core.errors import InputError
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.main import main
from oneleap.domains.singing import Singer
from oneleap.domains.singing.lyrics.phonemizer import Phonemizer
from oneleap.domains.singing.models.samplers import FlowMapSampler
from oneleap.domains.singing.scores.musicxml_write import musicxml
from oneleap.domains.singing.scores.phrasing import score_to_segments
from oneleap.domains.singing.scores.score import Note, Score, uniform_bars
from oneleap.domains.singing.segments.ds import write_ds
from oneleap.domains.singing.segments.segment import Curve, Segment
from oneleap.domains.singing.voice import loading as store

TWO = [SCORE, replace(SCORE, offset=1.5)]


@pytest.fixture
def singer() -> Singer:
    return Singer(acoustic(sampler=FlowMapSampler(1)), durations(), curves(), vocoder())


def test_a_song_lasts_as_long_as_its_score(singer: Singer) -> None:
    wave = singer.sing(TWO)
    assert wave.seconds == pytest.approx(2.7, abs=0.03)
    assert np.isfinite(wave.samples).all()
    first = round(1.22 * RATE)
    assert not wave.samples[first : round(1.48 * RATE)].any()  # between the phrases
    assert singer.sing(TWO, tempo=2.0).seconds == pytest.approx(1.35, abs=0.03)


def test_phrases_may_begin_before_the_song_and_not_last_for_ever(singer: Singer) -> None:
    early = singer.sing([replace(SCORE, offset=-0.5), replace(SCORE, offset=1.0)])
    assert np.array_equal(early.samples, singer.sing(TWO).samples)
    with pytest.raises(InputError, match="hours"):
        singer.sing([replace(SCORE, offset=1e9)])


def test_the_seed_decides_and_phrases_do_not_touch(singer: Singer) -> None:
    a, b, c = (singer.sing(TWO, seed=s).samples for s in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.allclose(a, c)
    alone = singer.sing([SCORE]).samples
    n = min(len(alone), round(1.2 * RATE))
    assert np.array_equal(a[:n], alone[:n])


def test_durations_fill_the_words_and_what_is_given_is_kept(singer: Singer) -> None:
    songs = singer.timed(SCORE)
    frames = songs.each[0]
    ends = frames.cumsum(0) / MEL.frame_rate
    assert [float(ends[i]) for i in (1, 3, 4, 5)] == pytest.approx([0.2, 0.5, 1.0, 1.2], abs=0.01)
    kept = singer.timed(TIMED)
    assert kept.durations[0].tolist() == pytest.approx([d * MEL.frame_rate for d in TIMED.ph_dur])
    f0 = Curve(np.array([0, 200.0, 200.0, 0]), 0.4)
    n = kept.base.shape[1]
    assert singer.pitched(kept, replace(TIMED, f0=f0), 0).tolist() == [[200.0] * n]


def test_key_moves_the_pitch(singer: Singer) -> None:
    songs = [singer.timed(singer.moved([SCORE], key, 1.0)[0]) for key in (0.0, 2.0)]
    assert float((songs[1].base - songs[0].base).mean()) == pytest.approx(2)


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({}, {"tempo": 9.0}, "tempo: a factor from"),
        ({}, {"key": 24.0}, r"phrase 1: note 2 has pitch 81, .* --key \+7"),
        ({"ph_seq": ("SP", "k", "a", "zh", "i", "SP")}, {}, "phrase 1: ph_seq: phoneme 4 is 'zh'"),
    ],
)
def test_what_cannot_be_sung_is_told(
    change: dict[str, object], settings: dict[str, float], message: str, singer: Singer
) -> None:
    with pytest.raises(InputError, match=message):
        singer.sing([replace(SCORE, **change)], **settings)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no phrases"):
        singer.sing([])
    with pytest.raises(InputError, match="phrase 1: ph_num is missing"):
        singer.sing([Segment(ph_seq=SCORE.ph_seq)])


def test_an_unknown_phoneme_of_a_score_is_told_by_bar_and_note(singer: Singer) -> None:
    lyrics = ("か", "に", "ばん", "に")
    notes = tuple(Note(Fraction(2), 60.0, lyric) for lyric in lyrics)
    score = Score(notes, uniform_bars(Fraction(8)))
    with pytest.raises(InputError, match="phrase 1: bar 2, note 1: phoneme 6 is 'b'"):
        singer.sing(score_to_segments(score, Phonemizer()))


def test_a_voice_takes_its_own_number_of_steps(singer: Singer) -> None:
    one, three = (singer.sing([SCORE], steps=n).samples for n in (1, 3))
    own = replace(singer, acoustic=acoustic(sampler=FlowMapSampler(3))).sing([SCORE]).samples
    assert np.array_equal(own, three)
    assert not np.allclose(own, one)


def test_saved_and_loaded_it_sings_the_same(singer: Singer, tmp_path: Path) -> None:
    singer.save(tmp_path / "whole", card="# Nobody\n", half=False)
    again = Singer.load(tmp_path / "whole")
    a, b = (s.sing([SCORE]).samples for s in (singer, again))
    assert np.abs(a - b).max() < 1e-5
    assert (tmp_path / "whole" / "README.md").read_text() == "# Nobody\n"
    again.save(tmp_path / "half")
    assert len(Singer.load(tmp_path / "half").sing([SCORE]).samples) == len(a)


def test_parts_that_do_not_fit_are_refused(singer: Singer, tmp_path: Path) -> None:
    other = NSF(replace(MEL, floor=1e-4), 8, 8, 1)
    with pytest.raises(InputError, match="mel format"):
        Singer.of(singer.acoustic, singer.durations, singer.pitch, other)
    wrong = durations()
    wrong.spec = replace(SPEC, phonemes=("SP", "AP"))
    with pytest.raises(InputError, match="other phonemes"):
        Singer.of(singer.acoustic, wrong, singer.pitch, singer.vocoder)
    with pytest.raises(InputError, match="makes energy"):
        Singer.of(singer.acoustic, singer.durations, curves(("energy",)), singer.vocoder)
    acoustic().save_pretrained(tmp_path / "a")
    with pytest.raises(InputError, match=r"holds a .*Acoustic, not a .*Durations"):
        Singer.load(tmp_path / "a")
    with pytest.raises(InputError, match="voice: no 'nobody'"):
        Singer.load("nobody")


def test_a_model_that_heeds_energy_sings_with_a_variance_model(singer: Singer) -> None:
    from oneleap.core.objectives import FlowMatching
    from oneleap.domains.singing.models.acoustic import AcousticModel
    from oneleap.domains.singing.models.nets import Aux

    heeding = AcousticModel(
        SPEC,
        FlowMatching(),
        encoder=SMALL,
        aux=Aux(8, 8, 1),
        decoder=DECODER,
        curves=("energy", "breathiness"),
    )
    shaken(heeding.average)
    parts = (singer.durations, singer.pitch, singer.vocoder)
    with pytest.raises(InputError, match="heeds breathiness: give a variance model"):
        Singer.of(heeding, *parts)
    loud = curves(("energy", "breathiness"))
    one = Singer.of(heeding, *parts, loud).sing([SCORE]).samples
    loud.average.decoder.outward.bias.data += 1.0
    assert not np.allclose(one, Singer.of(heeding, *parts, loud).sing([SCORE]).samples)


class TestCommand:
    """``oneleap sing`` and ``oneleap singer``."""

    @pytest.fixture(autouse=True)
    def _here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("soundfile")
        monkeypatch.chdir(tmp_path)
        write_ds("song.ds", TWO)

    def test_models_become_a_singer_and_a_score_becomes_a_song(
        self, singer: Singer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        parts = ("acoustic", "durations", "pitch", "vocoder")
        for name in parts:
            getattr(singer, name).save_pretrained(f"runs/{name}/model")
        argv = ["singer", *(f"runs/{name}" for name in parts), "mine"]
        assert main(argv) == 0
        assert "MiB" in capsys.readouterr().out
        assert main(argv) == 2
        assert "exists already" in capsys.readouterr().err
        assert main(["sing", "song.ds", "--voice", "mine", "--key", "+2", "-o", "a.wav"]) == 0
        assert "a.wav: 2.7 s of song" in capsys.readouterr().err
        from oneleap.domains.audio.wave import read_wave

        wanted = Singer.load("mine").sing(TWO, key=2.0).samples.clip(-1, 1)
        assert np.abs(read_wave("a.wav", RATE).samples - wanted).max() < 1e-4
        assert main(["sing", "song.ds", "--voice", "mine"]) == 0
        assert Path("song.wav").is_file()

    def test_without_a_shipped_voice_one_is_to_be_named(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(store, "shipped", dict)
        assert main(["sing", "song.ds"]) == 2
        assert "name the folder by --voice" in capsys.readouterr().err

    def test_other_languages_and_verses(
        self, singer: Singer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        pytest.importorskip("defusedxml")
        singer.save("mine")
        score = Score((Note(Fraction(2), 60.0, "ni"),), uniform_bars(Fraction(2)))
        words = ("kan", "ni")
        verses = "".join(
            f'<lyric number="{k}"><text>{word}</text></lyric>' for k, word in enumerate(words, 1)
        )
        text = re.sub("<lyric.*</lyric>", verses, musicxml(score))
        Path("song.musicxml").write_text(text)
        Path("words.txt").write_text("kan\tk a n\n")
        argv = ["sing", "song.musicxml", "--voice", "mine", "--dictionary", "words.txt"]
        assert main([*argv, "-o", "a.wav"]) == 0
        assert main([*argv, "--verse", "2"]) == 2
        error = capsys.readouterr().err
        assert "bar 1, note 1: 'ni' is not in the dictionary" in error

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            (["none.ds"], "none.ds cannot be read"),
            (["song.ds", "--steps", "0"], "steps: at least 1"),
            (["song.ds", "--key", "x"], "invalid float value"),
            (["song.ds", "--key", "30"], "song.ds: phrase 1: note 2 has pitch 87"),
            (["song.ds", "--tempo", "0"], "tempo: a factor"),
            (["song.ds", "-o", "a.xyz"], "no format for sound"),
            ([], "arguments are required"),
        ],
    )
    def test_bad_input_is_a_line_and_nothing_is_written(
        self, argv: list[str], message: str, singer: Singer, capsys: pytest.CaptureFixture[str]
    ) -> None:
        singer.save("mine")
        before = set(Path.cwd().rglob("*"))
        assert main(["sing", *argv, "--voice", "mine"]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
        assert set(Path.cwd().rglob("*")) == before


def test_help_and_the_package_are_light() -> None:
    import subprocess
    import sys

    code = (
        "import sys; import oneleap.domains.singing\n"
        "from oneleap.domains.singing.commands.sing import parser; parser().format_help()\n"
        "assert not {'torch', 'numpy', 'lightning'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
