"""Figures of a voice: word error rate, DNSMOS, distance to recordings, and speed."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.progress import track

from oneleap.domains.audio.evaluation.dnsmos import dnsmos
from oneleap.domains.audio.wave import Wave, concatenate
from oneleap.domains.speech.evaluation.held_out import HeldOut
from oneleap.domains.speech.evaluation.recognition import Recognizer, word_error_rate
from oneleap.domains.speech.text.sentences import PAUSE_S
from oneleap.domains.speech.text.symbols import token_ids
from oneleap.domains.speech.voice.voice import Voice


@dataclass(frozen=True)
class Candidate:
    """A voice at one number of sampler steps.

    Attributes:
        name: Name of its folder.
        voice: The voice.
        steps: Number of steps of its sampler.
        held_out: Recordings that its training held out, or ``None`` if there are none.
    """

    name: str
    voice: Voice
    steps: int
    held_out: HeldOut | None

    def __str__(self) -> str:
        return f"{self.name}, {self.steps} step{'s' if self.steps > 1 else ''}"

    @property
    def key(self) -> str:
        """Prefix of its figures' names."""
        return f"{self.name}_{self.steps}"


def measure(
    candidate: Candidate,
    sentences: Sequence[str],
    recognizer: Recognizer,
    *,
    speaker: str | None,
    seed: int,
    limit: int,
) -> dict[str, float]:
    """Compute all figures of a voice at one number of steps.

    Args:
        candidate: The voice.
        sentences: Sentences to speak.
        recognizer: The speech recognizer.
        speaker: Name of the speaker; by default the first one.
        seed: Seed of the noise of the first sentence.
        limit: Largest number of held-out recordings.

    Returns:
        Figures by name.
    """
    waves, acoustic_s, total_s = speak_timed(candidate, sentences, speaker, seed)
    found = measure_sounds(sentences, waves, recognizer)
    if candidate.held_out is not None:
        recordings = candidate.held_out.first(limit)
        found["mel_l1"] = recordings.mel_distance(candidate.voice.acoustic, candidate.steps)
    seconds = sum(wave.seconds for wave in waves)
    return found | {"acoustic_rtf": acoustic_s / seconds, "rtf": total_s / seconds}


def measure_sounds(
    sentences: Sequence[str], waves: Sequence[Wave], recognizer: Recognizer
) -> dict[str, float]:
    """Compute word error rate and mean DNSMOS of sounds.

    Args:
        sentences: Texts that were spoken.
        waves: The sound of each text.
        recognizer: The speech recognizer.

    Returns:
        Figures by name.
    """
    rate = word_error_rate(sentences, [recognizer(wave) for wave in waves])
    mos = sum(dnsmos(wave) for wave in waves) / len(waves)
    return {"wer": rate.rate, "wer_low": rate.low, "wer_high": rate.high, "dnsmos": mos}


def speak_timed(
    candidate: Candidate, sentences: Sequence[str], speaker: str | None, seed: int
) -> tuple[list[Wave], float, float]:
    """Speak sentences one at a time.

    Args:
        candidate: The voice.
        sentences: Sentences to speak.
        speaker: Name of the speaker; by default the first one.
        seed: Seed of the noise of the first sentence.

    Returns:
        The sounds, the seconds that the acoustic model took, and the seconds in total.
    """
    voice, index = candidate.voice, candidate.voice.speaker_index(speaker)
    front_end, symbols = voice.front_end(), voice.acoustic.spec.symbols
    steps = candidate.steps
    voice.acoustic.synthesize([token_ids("a.", symbols)], speaker=index, steps=steps)  # warm up
    waves, acoustic_s, total_s = [], 0.0, 0.0
    for i, text in enumerate(track(sentences, str(candidate), console=Console(stderr=True))):
        start, parts = time.perf_counter(), []
        for sentence in front_end.phonetic_sentences(text, f"sentence {i + 1}"):
            tokens, acoustic_start = token_ids(sentence, symbols), time.perf_counter()
            mels = voice.acoustic.synthesize([tokens], speaker=index, steps=steps, seeds=[seed + i])
            acoustic_s += time.perf_counter() - acoustic_start
            parts += voice.vocode(mels)
        waves.append(concatenate(parts, PAUSE_S))
        total_s += time.perf_counter() - start
    return waves, acoustic_s, total_s
