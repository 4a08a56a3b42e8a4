"""``oneleap collect singing``: melodies with words, sung by Sinsy, in openvpi's layout."""

import json
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from rich.console import Console
from rich.progress import Progress

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.singing.data.recordings import TABLE, pieces, write_piece, write_table
from oneleap.domains.singing.scores.musicxml_write import write_musicxml
from oneleap.domains.singing.scores.score import Score
from oneleap.domains.singing.segments.ds import read_ds, write_ds
from oneleap.domains.singing.segments.segment import Segment
from oneleap.domains.singing.segments.splitting import split_at_rests
from oneleap.domains.singing.synthetic.melodies import Melody, folk_melodies, random_melodies
from oneleap.domains.singing.synthetic.random_lyrics import melody_to_score
from oneleap.domains.singing.synthetic.sinsy import (
    LICENSE,
    STEP_S,
    Performance,
    Sinsy,
    comfortable_shift,
    transpose_score,
)

SONGS = "songs"
"""Folder of what is known of each song: score, and segments with their place in it."""


@runtime_checkable
class Voice(Protocol):
    """What sings; see :class:`Sinsy`."""

    def labels(self, score: Score) -> tuple[str, ...]:
        """Lines of labels."""

    def render(self, labels: tuple[str, ...], semitones: int = 0) -> Performance:
        """Their take."""


def singing(
    songs: int = 60,
    melodies: Literal["folk", "invented"] = "folk",
    seed: int = 0,
    out: Path = Path("data/singing"),
    workers: int = 2,
) -> None:
    """Collect songs sung by Sinsy: sound, phonemes with durations, notes and pitch.

    Each song is a melody with random morae, moved into the voice's range. Songs are cut at rests.
    A collection that was broken off goes on from where it was, and one that is there already grows
    to more songs; the data depend on the seed alone.

    Example: oneleap collect singing --songs 60

    Args:
        songs: How many; one lasts about half a minute.
        melodies: folk takes the Essen collection of music21, for non-commercial use; invented makes
            melodies up, free of anyone's rights.
        seed: Of melodies and words.
        out: Folder to write, in openvpi's layout.
        workers: Songs sung at the same time.

    Raises:
        InputError: Sinsy or music21 is missing, or the folder holds another collection.
    """
    if songs < 1 or workers < 1:
        raise InputError(f"songs {songs} and workers {workers} must be positive")
    engine = Sinsy()
    _same_collection(out, {"melodies": melodies, "seed": seed})
    names = [f"{melodies}_{k:04d}" for k in range(songs)]
    sources: dict[str, str] = {}

    def todo() -> Iterator[tuple[str, Score]]:
        tunes = (folk_melodies if melodies == "folk" else random_melodies)(
            np.random.default_rng(seed)
        )
        for k, (name, melody) in enumerate(zip(names, islice(tunes, songs), strict=False)):
            sources[name] = _source(melody)
            if not (out / SONGS / f"{name}.ds").exists():
                yield name, melody_to_score(melody, np.random.default_rng((seed, k)))

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("singing", total=songs)
        done = sum((out / SONGS / f"{name}.ds").exists() for name in names)
        bar.update(task, completed=done)
        for name, score, take in _sing(engine, todo(), workers):
            _keep(out, name, score, take)
            bar.advance(task)
    _finish(out, sources)


def _source(melody: Melody) -> str:
    return f"{melody.title} ({melody.source})"


def _sing(
    engine: Voice, scores: Iterator[tuple[str, Score]], workers: int
) -> Iterator[tuple[str, Score, Performance]]:
    """Takes as they are done; each is a process of ``hts_engine``, several at a time."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: dict[Future[Performance], tuple[str, Score]] = {}
        for name, score in scores:
            away = comfortable_shift(score)
            lines = engine.labels(transpose_score(score, away))
            waiting[pool.submit(engine.render, lines, -away)] = (name, score)
            if len(waiting) > workers:
                yield from _done(waiting)
        while waiting:
            yield from _done(waiting)


def _done(
    waiting: dict[Future[Performance], tuple[str, Score]],
) -> Iterator[tuple[str, Score, Performance]]:
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield *waiting.pop(future), future.result()


def _keep(out: Path, name: str, score: Score, take: Performance) -> None:
    """Write a song; the file of its segments comes last and says that all is there."""
    parts = split_at_rests(take.segment, step_s=STEP_S)
    named = []
    for (segment, wave), part in zip(pieces(take.wave, parts, name), parts, strict=True):
        write_piece(out, segment, wave)
        extra = {"name": segment.name}
        named.append(replace(part, name=segment.name, f0=None, extra=extra))
    write_musicxml(out / SONGS / f"{name}.musicxml", score)
    write_ds(out / SONGS / f"{name}.ds", named)


def _finish(out: Path, sources: dict[str, str]) -> None:
    """Write table and card of all songs that are there."""
    segments: list[Segment] = []
    for path in sorted((out / SONGS).glob("*.ds")):
        for segment in read_ds(path):
            segments.append(replace(segment, name=str(segment.extra["name"]), extra={}))
    write_table(out, tuple(segments))
    seconds = sum(segment.seconds for segment in segments)
    with replacing(out / "README.md") as path:
        path.write_text(_card(sources, len(segments), seconds), encoding="utf-8")
    print(f"{out / TABLE}: phrases {len(segments)}, songs {len(sources)}, {seconds / 60:.1f} min")
    print(f"next: oneleap fit --config singing/diffsinger --data.path '[{out}]'")


def _card(sources: dict[str, str], phrases_: int, seconds: float) -> str:
    melodies = "\n".join(f"- {name}: {source}" for name, source in sources.items())
    return f"""# Songs sung by Sinsy

Songs {len(sources)}, phrases {phrases_}, {seconds / 60:.1f} minutes, 48 kHz mono. Made by
`oneleap collect singing`: melodies with random Japanese morae, which mean nothing.

- `{TABLE}`: openvpi's columns; words begin with their vowels.
- `wavs/`, and `f0/`: Hz every 5 ms, 0 without voice, as the synthesiser used it.
- `{SONGS}/`: score (MusicXML) and segments (`.ds`) of each song.

## Licences

- Voice: {LICENSE}, through pysinsy (MIT) and hts_engine (modified BSD): the sound is a work derived
  from that voice, its pitch moved onto the notes; name its makers.
- Melodies of the Essen folk song collection are old and free; their encodings (H. Schaffrath,
  E. Dahlig-Turek; ABC by S. Shlien) came with music21 by permission for non-commercial use.
- Invented melodies and all words: made by this program, CC0.

## Melodies

{melodies}
"""


def _same_collection(out: Path, settings: dict[str, object]) -> None:
    """Begin a collection, or make sure that the one in the folder has the same settings.

    Raises:
        InputError: If it has not, or the folder holds other things.
    """
    file = out / SONGS / "settings.json"
    if file.exists():
        if json.loads(file.read_text(encoding="utf-8")) != settings:
            raise InputError(f"{out} holds another collection: name another folder by --out")
        print(f"going on from {out}", file=sys.stderr)
        return
    if (out / TABLE).exists():
        raise InputError(f"{out} holds other recordings: name another folder by --out")
    with replacing(file) as path:
        path.write_text(json.dumps(settings) + "\n", encoding="utf-8")
