"""Voices and the programs that people use, judged alike: same texts, same judges, same run."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from oneleap.domains.audio.evaluation.dnsmos import ratings
from oneleap.domains.audio.loudness import level
from oneleap.domains.audio.pitch import harvest
from oneleap.domains.audio.synthetic.teachers import Teacher
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

Speak = Callable[[str, int], Wave]
"""Text and seed to sound."""

Recognize = Callable[[Wave], str]
"""Sound to text."""

Figures = dict[str, float]
"""Figures by name."""

HIGHEST_HZ = 500.0
"""Highest pitch of speech, in Hz."""


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


def speak_by(teacher: Teacher) -> Speak:
    """Speak with a program that takes a sentence at a time.

    Raises:
        ValueError: It cannot say a sentence.
    """

    def speak(text: str, seed: int) -> Wave:
        waves = list[Wave]()
        for sentence in split_sentences(text):
            said = teacher.say(sentence, seed)
            if said is None:
                raise ValueError(f"not spoken: {sentence}")
            waves.append(said.wave)
        return concatenate(waves, PAUSE_S)

    return speak


def judge(name: str, speak: Speak, texts: Texts, recognizer: Recognize, seed: int = 0) -> Figures:
    """Measure everything about one voice.

    Sounds are brought to one level before they are judged. Word error rates come with their 95 %
    intervals. ``pitch_sd`` is the spread of pitch within a sentence in semitones, like a standard
    deviation, averaged over the Harvard sentences. ``cpu`` is the processor time per second of
    sound.

    Args:
        name: Name for the progress bar.
        speak: The voice.
        texts: What it speaks.
        recognizer: The speech recognizer.
        seed: Seed of the noise of the first text.

    Returns:
        Figures by name.
    """
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
        if kind == "harvard":
            found["pitch_sd"] = fmean(_pitch_spreads(waves))
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


def _pitch_spreads(waves: Sequence[Wave]) -> Iterator[float]:
    """Half the distance of two percentiles of the pitch of each sound, in semitones.

    They are the 16th and the 84th, so for a normal distribution this is the standard deviation.
    Unlike that, it does not count the octave errors of the estimate.
    """
    for wave in waves:
        f0 = harvest(wave, high=HIGHEST_HZ)
        if (f0 > 0).any():
            low, high = np.quantile(np.log2(f0[f0 > 0]), (0.16, 0.84))
            yield float(6 * (high - low))


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


_FIGURES: Mapping[str, Callable[[Figures], str]] = {
    "WER %, Harvard": _wer("harvard"),
    "OVRL": lambda x: f"{x['harvard_dnsmos']:.2f}",
    "P.808": lambda x: f"{x['harvard_p808']:.2f}",
    "WER %, everyday": _wer("everyday"),
    "OVRL, everyday": lambda x: f"{x['everyday_dnsmos']:.2f}",
    "P.808, everyday": lambda x: f"{x['everyday_p808']:.2f}",
    "words heard": lambda x: f"{x['words_heard']:.0f} of {x['words']:.0f}",
    "WER %, story": lambda x: f"{100 * x['passage_wer']:.1f}",
    "pitch, semitones": lambda x: f"{x['pitch_sd']:.2f}",
    "CPU s per s": lambda x: f"{x['cpu']:.4f}",
    "RTF": lambda x: f"{x['rtf']:.4f}",
}
"""Figures in the table, from top to bottom."""
