"""``oneleap collect speech``: clean speech of a teacher voice, in the layout of LJSpeech."""

import warnings
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.progress import Progress

from oneleap.core.errors import InputError, Notice
from oneleap.core.training.seed import episode_seed
from oneleap.domains.audio.synthetic.teachers import Spoken, Teacher
from oneleap.domains.speech.evaluation.sentences import read_sentences
from oneleap.domains.speech.synthetic.collection import ALIGNMENT, TABLE, Collection
from oneleap.domains.speech.synthetic.corpora import FORTUNES, WORDNET
from oneleap.domains.speech.synthetic.sentences import SentenceSource, texts

Voice = Literal["heart", "am_michael", "bf_emma"]


def speech(
    voice: Voice = "heart",
    hours: float = 1.0,
    parts: bool = False,
    wordnet: Path = WORDNET,
    fortunes: Path = FORTUNES,
    held_out: tuple[Path, ...] = (),
    styles: Path = Path("kokoro-js-1.2.1.tgz"),
    seed: int = 0,
    out: Path | None = None,
    workers: int = 1,
) -> None:
    """Collect speech of a teacher voice: sound, text, phonemes with durations, and pitch.

    Example: oneleap collect speech --voice heart --hours 1 --parts

    Args:
        voice: heart is American and female, spoken by hibari-tts in two minutes an hour. The
            others are Kokoro-82M itself, half an hour an hour: am_michael is American and male,
            bf_emma British and female.
        hours: Hours of speech.
        parts: Also keep the spectral parts that a source-filter vocoder learns, 1.7 GB an hour;
            only for heart.
        wordnet: Folder of WordNet; Debian's package wordnet-base fills the default.
        fortunes: Folder of fortunes; Debian's package fortunes fills the default.
        held_out: Files of sentences that no text may share four words in a row with, one per
            line, in addition to the Harvard sentences.
        styles: Archive of kokoro-js 1.2.1 with the vectors of Kokoro's voices.
        seed: Seed of the texts and of the noise in the voice.
        out: Folder to write; by default data/VOICE.
        workers: Number of texts spoken in parallel.

    Raises:
        InputError: An option is out of range, the teacher is missing, or the folder holds another
            collection.
    """
    if hours <= 0 or workers < 1:
        raise InputError(f"hours {hours:g} and workers {workers} must be positive")
    avoid = [text for path in (None, *held_out) for text in read_sentences(path)]
    source = SentenceSource(_folder(wordnet), _folder(fortunes), avoid, seed)
    if parts and voice != "heart":
        raise InputError(f"parts: {voice} has none: only heart has")
    teacher = _teacher(voice, parts, styles)
    folder = Path("data") / voice if out is None else out
    settings: dict[str, object] = {
        "voice": voice,
        "seed": seed,
        "parts": parts,
        "sentences": len(source.sentences),
    }
    collection = Collection(folder, settings)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("speaking", total=3600 * hours, completed=int(collection.seconds))
        for number, text, spoken in _speak(teacher, source, collection.next, seed, workers):
            if collection.seconds >= 3600 * hours:
                break
            if spoken is not None:
                collection.add(number, f"{voice}_{number:06d}", text, spoken)
                bar.update(task, completed=int(collection.seconds))
    collection.finish(_card(voice, teacher, source, collection))
    print(
        f"{folder / TABLE}: {len(collection.lines)} utterances, {collection.seconds / 3600:.2f} h"
    )


def _folder(path: Path) -> Path | None:
    """The folder if it exists, or ``None`` with a notice."""
    if path.is_dir():
        return path
    warnings.warn(
        f"{path}: no such folder: its sentences are left out (apt install wordnet-base fortunes)",
        Notice,
        stacklevel=3,
    )
    return None


def _teacher(voice: Voice, parts: bool, styles: Path) -> Teacher:
    if voice == "heart":
        from oneleap.domains.audio.synthetic.hibari import Hibari

        return Hibari(parts)
    from oneleap.domains.speech.synthetic.kokoro import Kokoro

    return Kokoro(voice, styles)


def _speak(
    teacher: Teacher, source: SentenceSource, first: int, seed: int, workers: int
) -> Iterator[tuple[int, str, Spoken | None]]:
    """Spoken texts in the order of their numbers, a few of them ahead in threads."""
    with ThreadPoolExecutor(workers) as pool:
        ahead = deque[tuple[int, str, Future[Spoken | None]]]()
        try:
            for number, text in texts(source, first):
                ahead.append(
                    (number, text, pool.submit(teacher.say, text, episode_seed(seed, number)))
                )
                if len(ahead) > 2 * workers:
                    number, text, future = ahead.popleft()
                    yield number, text, future.result()
        finally:
            for _, _, future in ahead:
                future.cancel()


def _card(voice: str, teacher: Teacher, source: SentenceSource, collection: Collection) -> str:
    origin = (
        f"{len(source.sentences)} sentences of WordNet 3.0 (Princeton University, WordNet license) "
        "and of the fortunes, and generated phrases"
        if source.sentences
        else "a small grammar"
    )
    return f"""# Speech of the teacher voice {voice}

{len(collection.lines)} utterances, {collection.seconds / 3600:.2f} hours, 24 kHz mono, made by
`oneleap collect speech`. Texts: {origin}. None shares four words in a row with a test sentence.

- `{TABLE}`: name and text, as in LJSpeech. `wavs/`: sound.
- `{ALIGNMENT}`: for each utterance its phonemes in Kokoro's alphabet and their durations in
  seconds. `^` and `$` are the silence before and after.
- `f0/`: pitch in Hz every 5 ms, 0 in unvoiced parts.
- `parts/`, if present: log amplitudes and phases of a source-filter vocoder, (frames, 5, 601),
  for frames of 12.5 ms.

Voice: {teacher.license}
"""
