"""Singers judged alike: are their words understood, are they in tune, how do they sound?"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from oneleap.core.errors import InputError
from oneleap.domains.audio.evaluation.dnsmos import ratings
from oneleap.domains.audio.evaluation.recognition import Recognizer, error_rate
from oneleap.domains.audio.loudness import level
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.pitch import estimate_f0
from oneleap.domains.audio.wave import Wave
from oneleap.domains.singing.evaluation.measures import pitch_errors, score_pitch
from oneleap.domains.singing.evaluation.songs import Language, lyrics, song
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.pitch import midi_to_hz
from oneleap.domains.singing.segments.segment import Segment

Figures = dict[str, float]
"""Figures by name."""


@dataclass(frozen=True, eq=False)
class Take:
    """A song as somebody sings it.

    Attributes:
        wave: The sound.
        segments: Phrases with durations; offsets are times in the sound.
    """

    wave: Wave
    segments: Sequence[Segment]


Sing = Callable[[Score, int], Take]
"""Score and seed to a take."""


def judge(
    name: str, sing: Sing, language: Language, limit: int | None = None, seed: int = 0
) -> Figures:
    """Measure everything about one singer.

    ``error`` is the share of words (English) or phonemes (Japanese) that whisper-base hears wrong,
    over all songs, with the 95 % interval of a bootstrap over songs. At most every unit of a song
    counts as wrong.

    Args:
        name: Name for the progress bar.
        sing: The singer.
        language: Language of the songs.
        limit: Number of songs; by default all.
        seed: Seed of the noise of the first song.

    Returns:
        Figures by name.
    """
    recognizer = Recognizer(language=language)
    lines = lyrics(language)[:limit]
    wrong, total = list[int](), list[int]()
    rated, cents, frames = [], list[NDArray[np.float64]](), 0
    for i, line in enumerate(track(lines, name, console=Console(stderr=True))):
        take = sing(song(line, language, i), seed + i)
        wave = level(take.wave)
        counts = word_errors(line, recognizer(wave), language)
        wrong.append(counts[0])
        total.append(counts[1])
        rated.append(ratings(wave))
        errors, count = _pitch(take)
        cents.append(errors)
        frames += count
    found = error_rate(wrong, total)
    distance = np.abs(np.concatenate(cents))
    return {
        "error": found.rate,
        "error_low": found.low,
        "error_high": found.high,
        "dnsmos": fmean(r.overall for r in rated),
        "p808": fmean(r.p808 for r in rated),
        "within_50_cents": float((distance <= 50).sum() / frames),
        "cents": float(np.median(distance)),
        "songs": float(len(lines)),
    }


def word_errors(said: str, heard: str, language: Language) -> tuple[int, int]:
    """Count the wrong units of a song, and all units.

    Args:
        said: The lyrics.
        heard: What the recognizer wrote.
        language: Japanese counts phonemes, English counts words.

    Returns:
        Errors, at most the number of units, and the number of units.
    """
    import jiwer

    one, two = (units(text, language) for text in (said, heard))
    found = jiwer.process_words(" ".join(one), " ".join(two))
    errors = found.substitutions + found.deletions + found.insertions
    return min(errors, len(one)), len(one)


def units(text: str, language: Language) -> list[str]:
    """Words of an English text, or phonemes of a Japanese one by Open JTalk."""
    if language == "en":
        plain = "".join(c if c.isalnum() or c in "' " else " " for c in text.lower())
        return plain.replace("'", "").split()
    import pyopenjtalk

    phonemes = str(pyopenjtalk.g2p(text.replace(" ", ""))).split()
    return [p.lower() for p in phonemes if p not in ("pau", "sil")]


def _pitch(take: Take) -> tuple[NDArray[np.float64], int]:
    """Distance from the notes in cents of each voiced frame, and the number of frames."""
    mel = Mel(sample_rate=take.wave.sample_rate)
    notes = [m for segment in take.segments for m in segment.note_midi if m is not None]
    # Pitch is looked for up to a fifth beyond the notes: of clean tones, Harvest takes octaves.
    low, high = midi_to_hz(np.array([min(notes) - 7, max(notes) + 7])).tolist()
    heard = estimate_f0(take.wave, mel, low=low, high=high)
    found, frames = list[NDArray[np.float64]](), 0
    for segment in take.segments:
        first = round(segment.offset * mel.frame_rate)
        part = heard[max(0, first) :][: round(segment.seconds * mel.frame_rate)]
        errors = pitch_errors(part, score_pitch(segment, len(part), mel))
        found.append(errors.cents)
        frames += errors.num_frames
    return np.concatenate(found), frames


def format_panel(rows: Mapping[str, Figures], language: Language) -> Table:
    """Format the figures of singers for the screen.

    Args:
        rows: Figures of :func:`judge` by the name of the singer.
        language: Language of the songs.
    """
    unit = "words" if language == "en" else "phonemes"
    table = Table(
        "",
        f"wrong {unit}, %",
        "OVRL",
        "P.808",
        "within 50 cents, %",
        "median, cents",
        title="songs",
    )
    for name, x in rows.items():
        interval = f"({100 * x['error_low']:.1f} to {100 * x['error_high']:.1f})"
        table.add_row(
            name,
            f"{100 * x['error']:.1f} {interval}",
            f"{x['dnsmos']:.2f}",
            f"{x['p808']:.2f}",
            f"{100 * x['within_50_cents']:.1f}",
            f"{x['cents']:.1f}",
        )
    return table


def by_teacher(language: Language) -> Sing:
    """The synthesizer that sang the training data of the shipped singer of a language.

    Raises:
        InputError: It is not installed.
    """
    if language == "ja":
        from oneleap.domains.singing.synthetic.sinsy import Sinsy

        sinsy = Sinsy()

        def sing(score: Score, seed: int) -> Take:
            performance = sinsy.sing(score)
            return Take(performance.wave, [performance.segment])

        return sing
    from oneleap.domains.singing.synthetic.heart import HeartSinger

    heart = HeartSinger()

    def sing_english(score: Score, seed: int) -> Take:
        segment, wave = heart.sing_score(score, np.random.default_rng(seed))
        return Take(wave, [segment])

    return sing_english


def check_language(language: str) -> Language:
    """Return the language if there are songs in it.

    Raises:
        InputError: There are none.
    """
    if language == "ja" or language == "en":
        return "ja" if language == "ja" else "en"
    raise InputError(f"the singer's language is '{language}'; there are songs in ja and en")
