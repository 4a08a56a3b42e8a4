"""The tab Sing: a score, its piano roll, and its sound."""

import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.studio.components import picture, player
from oneleap.domains.studio.handling import (
    MODEL,
    Sound,
    as_pixels,
    as_sound,
    check_range,
    check_upload,
    clear_errors,
    nothing,
    seed_of,
    short_paths,
)
from oneleap.domains.studio.models import load_singer

if TYPE_CHECKING:
    from oneleap.domains.audio.wave import Wave
    from oneleap.domains.singing import ScoreSegment

SUFFIXES = (
    *(".musicxml", ".xml", ".mxl"),
    *(".mid", ".midi", ".kar"),
    *(".ust", ".ustx", ".ds", ".lab"),
)
"""Suffixes of scores."""

MAX_BYTES = 2**20
"""Largest size of a score."""

MAX_SECONDS = 180.0
"""Longest song in seconds."""

KEY, TEMPO = (-12.0, 12.0), (0.5, 2.0)
"""Ranges of the transposition in semitones, and of the factor of the tempo."""

EXAMPLES = tuple(
    Path(__file__).resolve().parents[2] / "examples" / f"{name}.musicxml"
    for name in ("sakura", "twinkle")
)
"""Scores to begin with; they lie in a clone and not in an installed package."""


def read_song(score: str | None, key: float, tempo: float) -> "tuple[list[ScoreSegment], str]":
    """Read the phrases of a score, in another key and at another tempo, and choose the singer.

    Args:
        score: Path of the score.
        key: Transposition in semitones, in :data:`KEY`.
        tempo: Factor of the tempo, in :data:`TEMPO`.

    Returns:
        The phrases, and the name of the singer of their language.

    Raises:
        InputError: If the score cannot be sung or is too long, or an argument is out of range.
    """
    path = check_upload("score", score, MAX_BYTES)
    check_range("key", key, *KEY)
    check_range("tempo", tempo, *TEMPO)
    from oneleap.domains.singing import read_song as read_for_singer
    from oneleap.domains.singing.segments.transforms import change_tempo, transpose

    with short_paths(path):
        song = read_for_singer(path)
        found = [change_tempo(transpose(phrase, key), tempo) for phrase in song.segments]
        if not found:
            raise InputError(f"{path}: nothing to sing: the score has no phrases")
        seconds = max(phrase.offset + phrase.seconds for phrase in found)
        if seconds > MAX_SECONDS:
            raise InputError(
                f"{path}: lasts {seconds:.0f} s; the studio sings up to {MAX_SECONDS:g} s: "
                "oneleap sing takes longer songs"
            )
    return found, song.voice


def sing(score: str | None, key: float, tempo: float, seed: int) -> "Wave":
    """Sing a score at the loudness of ``oneleap sing``.

    Args:
        score: Path of the score.
        key: Transposition in semitones.
        tempo: Factor of the tempo.
        seed: Seed of the noise.

    Returns:
        The sound.

    Raises:
        InputError: See :func:`read_song`; or the singer lacks a phoneme or a note.
    """
    phrases, singer = read_song(score, key, tempo)
    from oneleap.domains.audio.loudness import level

    with short_paths(score):
        try:
            return level(load_singer(singer).sing(phrases, seed=seed))
        except InputError as error:
            raise InputError(f"{score}: {error}") from None


def draw_roll(score: str | None, key: float, tempo: float) -> NDArray[np.uint8] | None:
    """Draw the piano roll of a score for the page, (h, w, 3); without a score, nothing.

    Args:
        score: Path of the score.
        key: Transposition in semitones.
        tempo: Factor of the tempo.
    """
    from oneleap.domains.studio.pianoroll import piano_roll

    if not score:
        return None
    with clear_errors("singing"):
        return as_pixels(piano_roll(read_song(score, key, tempo)[0], Path(score).name))


def sing_tab(seed: int) -> None:
    """Build the tab inside a Gradio page.

    Args:
        seed: Seed that the tab begins with.
    """
    import gradio as gr

    gr.Markdown(
        "Upload a score with Japanese or English lyrics: MusicXML, MIDI, UTAU, `.ds` or HTS "
        "labels. The language chooses the singer. Each phrase takes one network call for the "
        "pitch and one for the spectrogram."
    )
    with gr.Row():
        with gr.Column(scale=1):
            examples = [[str(path)] for path in EXAMPLES if path.is_file()]
            first = examples[0][0] if examples else None
            score = gr.File(first, label="Score", file_types=list(SUFFIXES), elem_id="score")
            if examples:
                labels = ["Japanese: Sakura", "English: Twinkle, twinkle"]
                gr.Examples(examples, score, label="Scores to try", example_labels=labels)
            key = gr.Slider(*KEY, 0.0, step=1.0, label="Key", info="in semitones")
            tempo = gr.Slider(*TEMPO, 1.0, step=0.05, label="Tempo", info="as a factor")
            noise = gr.Number(seed, precision=0, label="Seed of the noise")
            button = gr.Button("Sing", variant="primary", elem_id="sing-button")
        with gr.Column(scale=2):
            label = "Piano roll; dark notes begin a syllable"
            drawing = None if first is None else partial(draw_roll, first, 0.0, 1.0)
            roll = picture(label, "roll", first=drawing)
            sound = player("Song", "song")
            cost = gr.Markdown(elem_id="song-cost")

    def on_sing(
        score: str | None, key: float, tempo: float, seed: float | None
    ) -> tuple[Sound, str]:
        with clear_errors("singing"):
            number = seed_of(seed)
            load_singer(read_song(score, key, tempo)[1])
            start = time.perf_counter()
            wave = sing(score, key, tempo, number)
            took = time.perf_counter() - start
        return as_sound(wave), f"{wave.seconds:.1f} s of song in {took:.2f} s"

    for changed in (score.change, key.release, tempo.release):
        changed(draw_roll, [score, key, tempo], [roll], show_progress="minimal")
    drawn = button.click(draw_roll, [score, key, tempo], [roll], show_progress="minimal")
    sung = drawn.success(
        on_sing,
        [score, key, tempo, noise],
        [sound, cost],
        show_progress_on=sound,
        concurrency_id=MODEL,
        concurrency_limit=1,
    )
    drawn.failure(nothing(3), None, [roll, sound, cost])
    sung.failure(nothing(2), None, [sound, cost])
