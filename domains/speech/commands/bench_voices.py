"""``oneleap bench voices``: voices beside the programs that people use, judged in one run."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from oneleap.core.errors import InputError, suggest

if TYPE_CHECKING:
    from oneleap.domains.speech.evaluation.panel import Speaker
    from oneleap.domains.speech.synthetic.kokoro import KokoroVoice
    from oneleap.domains.speech.voice.voice import Voice

HIBARI = "hibari"
KOKORO: "tuple[KokoroVoice, ...]" = ("af_heart", "am_michael", "bf_emma")
"""Other programs: hibari-tts, and voices of Kokoro-82M."""


def voices(
    voice: list[str] | None = None,
    peer: list[str] | None = None,
    steps: tuple[int, ...] = (),
    vocoder: str | None = None,
    styles: Path = Path("kokoro-js-1.2.1.tgz"),
    limit: int | None = None,
    asr_model: str | None = None,
    seed: int = 0,
    json: Path | None = None,
) -> None:
    """Speak sentences, words and a story with several voices, and judge all of them alike.

    The texts are 80 Harvard sentences, 100 other sentences, 30 single words and a story of two
    minutes. ``WER`` is the word error rate of whisper-base with its 95 % interval. ``OVRL`` and
    ``P.808`` are ratings that DNSMOS predicts. ``pitch SD`` is the standard deviation of the pitch
    within a sentence, and its ``spread`` half the range from the 16th to the 84th percentile. It is
    the pitch that a program speaks with, not an estimate from its sound. ``CPU`` is processor time.
    The command needs the extra ``eval``.

    Example: oneleap bench voices --voice heart --limit 5

    Args:
        voice: Name or folder of a voice; may be given several times. By default, all that ship.
        peer: Another program to judge, with the extra speech-data: hibari (hibari-tts), or
            af_heart, am_michael or bf_emma (Kokoro-82M); may be given several times.
        steps: Numbers of network calls, each of which makes a row of every voice; by default the
            voice's own.
        vocoder: Folder of another vocoder for all voices, or griffin-lim.
        styles: Archive of kokoro-js 1.2.1, for the voices of Kokoro.
        limit: Number of texts of each kind; by default all.
        asr_model: Folder or hub name of a Whisper model; by default whisper-base.
        seed: Seed of the noise of the first text.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: There is no such voice or program.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit: {limit} is not positive")
    for name in peer or []:
        if name != HIBARI:
            _kokoro_voice(name)  # before anything is loaded
    from rich.console import Console

    from oneleap.core.files import atomic_write
    from oneleap.domains.speech.evaluation.panel import (
        Figures,
        format_panel,
        judge,
        packaged_texts,
    )
    from oneleap.domains.speech.evaluation.recognition import Recognizer
    from oneleap.domains.speech.voice.loading import shipped_voices

    texts, recognizer = packaged_texts(limit), Recognizer(asr_model)
    rows = dict[str, Figures]()
    for name, speak in _speakers(voice or list(shipped_voices()), steps, vocoder, peer, styles):
        rows[name] = judge(name, speak, texts, recognizer, seed)
        if json is not None:
            import json as codec

            with atomic_write(json) as path:
                path.write_text(codec.dumps(rows, indent=2) + "\n", encoding="utf-8")
    Console().print(format_panel(rows))


def _speakers(
    voices: list[str],
    steps: tuple[int, ...],
    vocoder: str | None,
    peers: list[str] | None,
    styles: Path,
) -> "Iterator[tuple[str, Speaker]]":
    """Load voices and programs, one at a time."""
    from oneleap.domains.speech.evaluation.panel import speaker_of
    from oneleap.domains.speech.voice.voice import Voice

    for name in voices:
        loaded = Voice.load(name, vocoder=vocoder, int8=True)
        for n in steps or (loaded.acoustic.sampler.steps,):
            yield f"{name}, {n} call{'s' if n > 1 else ''}", _speaker(loaded, n)
    for peer in peers or []:
        try:
            if peer == HIBARI:
                from oneleap.domains.audio.synthetic.hibari import Hibari

                yield "hibari-tts", speaker_of(Hibari())
            else:
                from oneleap.domains.speech.synthetic.kokoro import Kokoro

                yield f"Kokoro-82M {peer}", speaker_of(Kokoro(_kokoro_voice(peer), styles))
        except ModuleNotFoundError as error:
            raise InputError(
                f"peer: {peer} needs the package {error.name}: pip install 'oneleap[speech-data]'"
            ) from None


def _speaker(voice: "Voice", steps: int) -> "Speaker":
    """Return a voice with a number of network calls."""
    from oneleap.domains.speech.evaluation.panel import Speaker
    from oneleap.domains.speech.voice.delivery import Delivery

    return Speaker(
        lambda text, seed: voice.speak(text, steps=steps, seed=seed),
        (lambda text, seed: voice.pitch(text, Delivery(steps=steps), seed=seed))
        if voice.can_change_pitch
        else None,
    )


def _kokoro_voice(name: str) -> "KokoroVoice":
    for voice in KOKORO:
        if voice == name:
            return voice
    known = (HIBARI, *KOKORO)
    raise InputError(f"peer: no '{name}'{suggest(name, known)} ({', '.join(known)})")
