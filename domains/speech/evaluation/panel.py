"""Voices and the programs that people use, judged alike: same texts, same judges, same run."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from oneleap.domains.audio.evaluation.dnsmos import ratings
from oneleap.domains.audio.loudness import level
from oneleap.domains.audio.synthetic.teachers import Spoken, Teacher
from oneleap.domains.audio.wave import Wave, concatenate
from oneleap.domains.speech.evaluation.recognition import (
    normalize_words,
    word_error_rate,
)
from oneleap.domains.speech.evaluation.sentences import (
    EVERYDAY,
    HARVARD,
    PASSAGE,
    WORDS,
    packaged_text,
)
from oneleap.domains.speech.text.sentences import PAUSE_S, split_sentences

Recognize = Callable[[Wave], str]
"""Sound to text."""

Figures = dict[str, float]
"""Figures by name."""


@dataclass(frozen=True)
class Speaker:
    """A voice or another program.

    Attributes:
        speak: Text and seed to sound.
        pitch: Text and seed to the pitch of each frame in Hz, 0 where unvoiced; ``None`` if the
            program does not tell it. An estimate from the sound would not do: of hibari-tts it has
            a spread of 5.4 semitones, where the pitch that it speaks with has 3.2.
    """

    speak: Callable[[str, int], Wave]
    pitch: Callable[[str, int], NDArray[np.floating[Any]]] | None = None


@dataclass(frozen=True)
class Texts:
    """What is spoken.

    Attributes:
        harvard: Phonetically balanced sentences.
        everyday: Sentences of plain prose.
        words: Single words.
        passage: Paragraphs that are spoken in one call.
    """

    harvard: Sequence[str]
    everyday: Sequence[str]
    words: Sequence[str]
    passage: str


def packaged_texts(limit: int | None = None) -> Texts:
    """Return the texts that come with oneleap, or the first ``limit`` of each kind."""
    harvard, everyday, words = (
        packaged_text(name).splitlines()[:limit] for name in (HARVARD, EVERYDAY, WORDS)
    )
    passage = packaged_text(PASSAGE)
    shown = passage if limit is None else passage[: passage.index(".") + 1]
    return Texts(harvard, everyday, words, shown)


def speaker_of(teacher: Teacher) -> Speaker:
    """Return a program that takes a sentence at a time, as a speaker.

    It raises ``ValueError`` if it cannot say a sentence.
    """

    def say(text: str, seed: int) -> Iterator[Spoken]:
        for sentence in split_sentences(text):
            said = teacher.say(sentence, seed)
            if said is None:
                raise ValueError(f"not spoken: {sentence}")
            yield said

    return Speaker(
        lambda text, seed: concatenate([said.wave for said in say(text, seed)], PAUSE_S),
        lambda text, seed: np.concatenate([said.f0 for said in say(text, seed)]),
    )


def judge(
    name: str, speaker: Speaker, texts: Texts, recognizer: Recognize, seed: int = 0
) -> Figures:
    """Measure everything about one voice.

    Sounds are brought to one level before they are judged. Word error rates come with their 95 %
    intervals. ``pitch_sd`` is the standard deviation of the pitch within a sentence in semitones,
    averaged over the Harvard sentences, and ``pitch_spread`` half the distance of the 16th and the
    84th percentile, which ignores rare leaps. ``cpu`` is the processor time per second of sound.

    Args:
        name: Name for the progress bar.
        speaker: The voice.
        texts: What it speaks.
        recognizer: The speech recognizer.
        seed: Seed of the noise of the first text.

    Returns:
        Figures by name.
    """
    speak = speaker.speak
    speak("Hello.", seed)  # warm up
    found, cpu, wall, seconds = dict[str, float](), 0.0, 0.0, 0.0
    console = Console(stderr=True)
    for kind, lines in (("harvard", texts.harvard), ("everyday", texts.everyday)):
        waves = list[Wave]()
        for i, line in enumerate(track(lines, f"{name}, {kind}", console=console)):
            start = time.process_time(), time.perf_counter()
            wave = speak(line, seed + i)
            cpu += time.process_time() - start[0]
            wall += time.perf_counter() - start[1]
            seconds += wave.seconds
            waves.append(level(wave))
        found |= {f"{kind}_{key}": x for key, x in _clarity(lines, waves, recognizer).items()}
    if speaker.pitch is not None:
        melodies = [speaker.pitch(line, seed + i) for i, line in enumerate(texts.harvard)]
        found |= pitch_range(melodies)
    words = [recognizer(level(speak(word, seed + i))) for i, word in enumerate(texts.words)]
    found["words_heard"] = float(
        sum(
            normalize_words(a) == normalize_words(b)
            for a, b in zip(texts.words, words, strict=True)
        )
    )
    found["words"] = float(len(words))
    story = recognizer(level(speak(texts.passage, seed)))
    found["passage_wer"] = word_error_rate([texts.passage], [story]).rate
    return found | {"cpu": cpu / seconds, "rtf": wall / seconds, "seconds": seconds}


def _clarity(lines: Sequence[str], waves: Sequence[Wave], recognizer: Recognize) -> Figures:
    rate = word_error_rate(lines, [recognizer(wave) for wave in waves])
    rated = [ratings(wave) for wave in waves]
    return {
        "wer": rate.rate,
        "wer_low": rate.low,
        "wer_high": rate.high,
        "dnsmos": fmean(r.overall for r in rated),
        "p808": fmean(r.p808 for r in rated),
    }


def pitch_range(melodies: Sequence[NDArray[np.floating[Any]]]) -> Figures:
    """Return the standard deviation and the spread of the pitch of sentences, in semitones.

    Args:
        melodies: Pitch of each frame in Hz, 0 where unvoiced, of each sentence.
    """
    tones = [12 * np.log2(f0[f0 > 0]) for f0 in melodies if (f0 > 0).any()]
    ends = [np.quantile(tone, (0.16, 0.84)) for tone in tones]
    return {
        "pitch_sd": fmean(float(tone.std()) for tone in tones),
        "pitch_spread": fmean(float(high - low) / 2 for low, high in ends),
    }


def format_panel(rows: Mapping[str, Figures]) -> Table:
    """Format the figures of voices for the screen.

    Args:
        rows: Figures of :func:`judge` by the name of the voice.
    """
    table = Table("", *rows, title="voices")
    for title, form in _FIGURES.items():
        table.add_row(title, *(form(figures) for figures in rows.values()))
    return table


def _wer(kind: str) -> Callable[[Figures], str]:
    def form(x: Figures) -> str:
        low, high = 100 * x[f"{kind}_wer_low"], 100 * x[f"{kind}_wer_high"]
        return f"{100 * x[f'{kind}_wer']:.1f}\n({low:.1f} to {high:.1f})"

    return form


def _known(x: Figures, name: str) -> str:
    return f"{x[name]:.2f}" if name in x else "unknown"


_FIGURES: Mapping[str, Callable[[Figures], str]] = {
    "WER %, Harvard": _wer("harvard"),
    "OVRL": lambda x: f"{x['harvard_dnsmos']:.2f}",
    "P.808": lambda x: f"{x['harvard_p808']:.2f}",
    "WER %, everyday": _wer("everyday"),
    "OVRL, everyday": lambda x: f"{x['everyday_dnsmos']:.2f}",
    "P.808, everyday": lambda x: f"{x['everyday_p808']:.2f}",
    "words heard": lambda x: f"{x['words_heard']:.0f} of {x['words']:.0f}",
    "WER %, story": lambda x: f"{100 * x['passage_wer']:.1f}",
    "pitch SD, semitones": lambda x: _known(x, "pitch_sd"),
    "pitch spread, semitones": lambda x: _known(x, "pitch_spread"),
    "CPU s per s": lambda x: f"{x['cpu']:.4f}",
    "RTF": lambda x: f"{x['rtf']:.4f}",
}
"""Figures in the table, from top to bottom."""
