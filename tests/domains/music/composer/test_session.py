"""A session composes every kind of piece from a request."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support import tiny_music

from oneleap.core.errors import InputError
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.generation import (
    GenerationSettings,
)
from oneleap.domains.music.composer.request import CompositionRequest, crop_controls
from oneleap.domains.music.composer.session import Session
from oneleap.domains.music.controls.base import Intensity, Melody

soundfile = pytest.importorskip("soundfile")

mido = pytest.importorskip("mido")

RATE, MEL = tiny_music.RATE, tiny_music.MEL

QUICK = GenerationSettings(steps=3, decode_steps=(1, 2))


def write_note(path: Path, seconds: float) -> None:
    """One note, at 120 beats a minute."""
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    track.append(mido.Message("note_on", note=69, velocity=90))
    track.append(mido.Message("note_off", note=69, time=round(960 * seconds)))
    file.tracks.append(track)
    file.save(path)


def compose(
    seed: int = 0, settings: GenerationSettings = QUICK, **request: object
) -> tuple[np.ndarray, Session]:
    session = Session(tiny_music.composer(), CompositionRequest(**request), settings, seed=seed)  # type: ignore[arg-type]
    return session.compose().wave.samples, session


def test_the_same_seed_is_the_same_piece() -> None:
    a, b, c = (compose(seed, intensity="rise", seconds=1.0)[0] for seed in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert len(a) == round(1.0 * MEL.frame_rate) * MEL.hop


def test_a_piece_without_controls() -> None:
    samples, _ = compose(seconds=1.0)
    assert np.abs(samples).max() > 0
    assert len(
        compose(seconds=1.0, settings=GenerationSettings("ditto", sampler_steps=2))[0]
    ) == len(samples)


def test_inpainting_leaves_the_rest_alone(song: Path) -> None:
    given = soundfile.read(song, dtype="float32")[0]
    samples, _ = compose(inpaint=song, gap=(0.9, 1.2))
    assert len(samples) == len(given)
    fade = 5 * MEL.hop
    first, last = round(0.9 * RATE) - fade, round(1.2 * RATE) + fade
    np.testing.assert_array_equal(samples[:first], given[:first])
    np.testing.assert_array_equal(samples[last:], given[last:])
    inside = slice(first + 2 * fade, last - 2 * fade)
    assert np.abs(samples[inside] - given[inside]).max() > 1e-3


def test_controls_of_a_gap_refer_to_the_whole_recording(tmp_path: Path) -> None:
    """A melody that ends before the gap is not used."""
    path, tune = tmp_path / "long.wav", tmp_path / "tune.mid"
    soundfile.write(path, tiny_music.chord(12.0, 220.0), RATE)
    for length, expected in ((1.0, False), (12.0, True)):
        write_note(tune, length)
        session = Session(
            tiny_music.composer(),
            CompositionRequest(inpaint=path, gap=(10.0, 10.3), melody=tune),
            QUICK,
        )
        found = session.compose().controls
        assert any(isinstance(control, Melody) for control in found) == expected


def test_outpainting_continues_the_recording(song: Path) -> None:
    given = soundfile.read(song, dtype="float32")[0]
    samples, session = compose(outpaint=song, seconds=4.0)
    assert len(samples) == round(4.0 * MEL.frame_rate) * MEL.hop
    kept = len(given) - session.overlap * MEL.hop
    np.testing.assert_array_equal(samples[:kept], given[:kept])


def test_a_loop_has_the_requested_length() -> None:
    samples, _ = compose(loop=True, seconds=1.5)
    assert len(samples) == round(1.5 * MEL.frame_rate) * MEL.hop


def test_a_long_piece_consists_of_clips() -> None:
    session = Session(
        tiny_music.composer(),
        CompositionRequest(seconds=2.5, intensity="rise"),
        QUICK,
        tags=("fast",),
    )
    session.overlap = 8
    piece = session.compose()
    assert piece.mel.shape[2] == round(2.5 * MEL.frame_rate)
    assert len(piece.clips) > 2
    assert piece.seams is not None
    assert all(set(part.metrics) >= {"outpaint"} for part in piece.clips[1:])


def test_controls_of_a_long_piece_are_cropped_to_clips(tune: Path) -> None:
    request = CompositionRequest(seconds=3.0, intensity="rise", melody=tune)
    session = Session(tiny_music.composer(), request, QUICK)
    frames = round(3.0 * MEL.frame_rate)
    controls = session.controls(frames)
    whole = controls[0].control
    assert isinstance(whole, Intensity)
    (first, _), (melody, _) = crop_controls(controls, 0, 32)
    assert isinstance(first, Intensity)
    assert isinstance(melody, Melody)
    assert torch.equal(first.target, whole.target[:32])
    (late,) = crop_controls(controls, frames - 10, frames + 22)  # the melody is over
    assert isinstance(late.control, Intensity)
    assert torch.equal(late.control.target[:10], whole.target[-10:])
    assert (late.control.target[10:] == whole.target[-1]).all()


def test_audio_controls_refuse_griffin_lim() -> None:
    without_vocoder = Composer.from_parts(tiny_music.model(), tiny_music.model(seed=4))
    for request in (
        CompositionRequest(target_tags=("piano",), tagger=Path("x")),
        CompositionRequest(prompt="calm", clap="x"),
    ):
        with pytest.raises(InputError, match="Griffin-Lim has no gradients"):
            Session(without_vocoder, request)


def test_a_silent_end_is_refused(composer_folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "fades.wav"
    wave = np.concatenate([tiny_music.chord(1.0, 220.0), np.zeros(2 * RATE, np.float32)])
    soundfile.write(path, wave, RATE)
    with pytest.raises(InputError, match=r"the end of .* is silent"):
        compose(outpaint=path, seconds=9.0)


def test_numbers_that_are_not_finite_are_refused() -> None:
    with pytest.raises(InputError, match="quiet_db must be below loud_db"):
        CompositionRequest(loud_db=float("nan"))
    with pytest.raises(InputError, match=r"from 0\.5 to 3600"):
        CompositionRequest(seconds=float("nan"))
