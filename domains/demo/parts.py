"""The parts of the demonstration: each runs one domain and describes what came out."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from matplotlib.figure import Figure

from oneleap.core.report import Media, Section, Table, Text, png
from oneleap.core.report import Part as Block
from oneleap.domains.audio.evaluation.media import picture
from oneleap.domains.audio.wave import Wave

if TYPE_CHECKING:
    from oneleap.domains.singing import Segment

T = TypeVar("T")

SENTENCE = "One call of a network turns noise into this sentence."


@dataclass(frozen=True)
class Part:
    """One part of the demonstration.

    Attributes:
        section: Its section of the report.
        rows: Its rows of the table of costs: what is made, network calls, milliseconds.
    """

    section: Section
    rows: list[tuple[str, str, str]]


def timed(function: Callable[[], T]) -> tuple[T, float]:
    """Call a function twice, and return its result and the milliseconds of the second call."""
    function()
    start = time.perf_counter()
    result = function()
    return result, 1e3 * (time.perf_counter() - start)


def voice_part(folder: Path, seed: int = 0) -> Part:
    """Speak a sentence.

    Args:
        folder: Folder for the sound file.
        seed: Seed of the noise.
    """
    from oneleap.domains.speech import Voice

    voice = Voice.load(int8=True)
    wave, ms = timed(lambda: voice.speak(SENTENCE, seed=seed))
    mel = voice.acoustic.spec.mel
    text = (
        f"“{SENTENCE}” The acoustic model and the vocoder are called once each: "
        f"{wave.seconds:.1f} s of speech in {ms:.0f} ms."
    )
    parts: list[Block] = [Text(text), sound(wave, folder / "voice.wav"), picture(wave, mel)]
    row = (f"{wave.seconds:.1f} s of speech", "1, and 1 of the vocoder", f"{ms:.0f}")
    return Part(Section("A voice", parts), [row])


def song_part(score: Path, folder: Path, seed: int = 0) -> Part:
    """Sing a score.

    Args:
        score: MusicXML file with lyrics.
        folder: Folder for the sound file.
        seed: Seed of the noise.
    """
    from oneleap.domains.audio.pitch import estimate_f0
    from oneleap.domains.singing import Singer, read_segments
    from oneleap.domains.singing.segments.timing import lead_in

    singer, segments = Singer.load(), read_segments(score)
    wave, ms = timed(lambda: singer.sing(segments, seed=seed))
    seconds, hertz = score_pitch(segments)
    seconds = [second + lead_in(segments) for second in seconds]
    mel = singer.acoustic.spec.mel
    f0 = estimate_f0(wave, mel)
    figure = Figure(figsize=(9, 3), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(seconds, hertz, linewidth=6, alpha=0.3, color="C0", label="notes of the score")
    times = np.arange(len(f0)) / mel.frame_rate
    axes.plot(times, np.where(f0 > 0, f0, np.nan), linewidth=1, color="C3", label="sung pitch")
    axes.set(xlabel="seconds", ylabel="Hz", yscale="log", title=score.stem)
    axes.legend(frameon=False, loc="upper right")
    text = (
        f"{score.name}, {len(segments)} phrases. Each phrase takes one call for the pitch and one "
        f"for the spectrogram: {wave.seconds:.1f} s of song in {ms:.0f} ms."
    )
    pitch = Media("The notes of the score, and the pitch that is sung", png(figure))
    parts: list[Block] = [Text(text), sound(wave, folder / "song.wav"), pitch]
    parts.append(picture(wave, mel))
    row = (f"{wave.seconds:.1f} s of song", f"2 for each of {len(segments)} phrases", f"{ms:.0f}")
    return Part(Section("A song", parts), [row])


def score_pitch(segments: "Sequence[Segment]") -> tuple[list[float], list[float]]:
    """Trace the notes of a score: times in seconds and frequencies in Hz, NaN at rests."""
    times, hertz = list[float](), list[float]()
    for segment in segments:
        start = segment.offset
        for note, seconds in zip(segment.note_midi, segment.note_dur, strict=True):
            pitch = np.nan if note is None else 440.0 * 2 ** ((note - 69) / 12)
            times += [start, start + seconds]
            hertz += [pitch, pitch]
            start += seconds
    return times, hertz


def music_part(folder: Path, seed: int = 0) -> Part:
    """Compose six seconds whose loudness rises.

    Args:
        folder: Folder for the sound file and the plot.
        seed: Seed of the noise.
    """
    from oneleap.domains.music import (
        Composer,
        CompositionRequest,
        GenerationSettings,
        Session,
        plot_controls,
    )

    composer = Composer.load()
    start = time.perf_counter()
    request = CompositionRequest(seconds=6.0, intensity="rise")
    settings = GenerationSettings()
    piece = Session(composer, request, settings, seed=seed).compose()
    ms = 1e3 * (time.perf_counter() - start)
    clip = piece.clips[0]
    plot = folder / "music.png"
    plot_controls(
        plot, piece.clip_mel, composer.spec.mel, piece.controls, clip.optimization.history
    )
    error = float(clip.metrics["intensity"][0])
    text = (
        "DITTO-2: the noise of a one-step model is optimized until the loudness of the piece "
        f"follows a rising curve. Squared error of the loudness: {error:.2g} dB². "
        f"{settings.steps} optimizer steps of one call each took {ms / 1e3:.1f} s."
    )
    curves = Media("Loudness asked for and achieved", plot.read_bytes())
    parts: list[Block] = [Text(text), sound(piece.wave, folder / "music.wav"), curves]
    row = (f"{piece.wave.seconds:.1f} s of music", f"{settings.steps} to steer it", f"{ms:.0f}")
    return Part(Section("A piece of music", parts), [row])


def sound(wave: Wave, path: Path) -> Media:
    """Save a sound and return its player."""
    wave.save(path)
    return Media(path.name, path.read_bytes(), "audio/wav")


def costs(parts: list[Part]) -> Section:
    """Collect what each part costs."""
    rows = [row for part in parts for row in part.rows]
    table = Table(("one result", "network calls", "milliseconds"), rows)
    threads = Text(f"Measured here on {torch.get_num_threads()} CPU threads, after a first call.")
    return Section("What a result costs", [table, threads])
