"""``oneleap collect singing``: songs sung by the synthesizer Sinsy, in openvpi's layout."""

import json
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from rich.console import Console
from rich.progress import Progress

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.singing.data.recordings import TABLE, cut_song, write_recording, write_table
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
"""Folder with the score of each song and its segments with their offsets."""


@runtime_checkable
class SongSynthesizer(Protocol):
    """Synthesizer of songs; see :class:`Sinsy`."""

    def labels(self, score: Score) -> tuple[str, ...]:
        """Full-context labels of a score, one per line."""

    def render(self, labels: tuple[str, ...], semitones: int = 0) -> Performance:
        """Sound of labels, transposed by semitones."""


def singing(
    songs: int = 60,
    melodies: Literal["folk", "invented"] | None = None,
    seed: int = 0,
    out: Path = Path("data/singing"),
    workers: int = 2,
    language: Literal["ja", "en"] = "ja",
) -> None:
    """Collect invented songs: sound, phonemes with durations, notes and pitch.

    Sinsy sings random Japanese morae. The voice heart of hibari-tts sings random English sentences,
    to invented melodies. Melodies are transposed into the range of the voice. Songs are cut at
    rests. An interrupted collection continues, and a finished one can grow to more songs. The
    data depend only on the seed.

    Example: oneleap collect singing --songs 60 --language en

    Args:
        songs: Number of songs, about half a minute each.
        melodies: folk takes the Essen collection of music21, for non-commercial use; it is the
            default of Japanese songs. invented generates melodies that are free of rights.
        seed: Seed of melodies and words.
        out: Folder to write, in openvpi's layout.
        workers: Number of songs rendered in parallel; English songs take one.
        language: Language of the lyrics.

    Raises:
        InputError: The synthesizer or music21 is missing, or the folder holds another collection.
    """
    if songs < 1 or workers < 1:
        raise InputError(f"songs {songs} and workers {workers} must be positive")
    if language == "en" and melodies == "folk":
        raise InputError("melodies: English songs have invented ones: leave out --melodies folk")
    if language == "en":
        from oneleap.domains.singing.commands.collect_english import collect_english

        collect_english(songs, seed, out)
        return
    melodies, engine = melodies or "folk", Sinsy()
    open_collection(out, {"melodies": melodies, "seed": seed})
    names = [f"{melodies}_{k:04d}" for k in range(songs)]
    sources: dict[str, str] = {}

    def missing() -> Iterator[tuple[str, Score]]:
        tunes = (folk_melodies if melodies == "folk" else random_melodies)(
            np.random.default_rng(seed)
        )
        for k, (name, melody) in enumerate(zip(names, islice(tunes, songs), strict=False)):
            sources[name] = _source(melody)
            if not (out / SONGS / f"{name}.ds").exists():
                yield name, melody_to_score(melody, np.random.default_rng((seed, k)))

    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("rendering", total=songs)
        done = sum((out / SONGS / f"{name}.ds").exists() for name in names)
        bar.update(task, completed=done)
        for name, score, song in _render(engine, missing(), workers):
            _write_song(out, name, score, song)
            bar.advance(task)
    finish_collection(out, len(sources), partial(_card, sources))


def _source(melody: Melody) -> str:
    return f"{melody.title} ({melody.source})"


def _render(
    engine: SongSynthesizer, scores: Iterator[tuple[str, Score]], workers: int
) -> Iterator[tuple[str, Score, Performance]]:
    """Rendered songs in order of completion; ``hts_engine`` runs in several processes."""
    with ThreadPoolExecutor(workers) as pool:
        waiting: dict[Future[Performance], tuple[str, Score]] = {}
        for name, score in scores:
            shift = comfortable_shift(score)
            lines = engine.labels(transpose_score(score, shift))
            waiting[pool.submit(engine.render, lines, -shift)] = (name, score)
            if len(waiting) > workers:
                yield from _done(waiting)
        while waiting:
            yield from _done(waiting)


def _done(
    waiting: dict[Future[Performance], tuple[str, Score]],
) -> Iterator[tuple[str, Score, Performance]]:
    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
        yield *waiting.pop(future), future.result()


def _write_song(out: Path, name: str, score: Score, song: Performance) -> None:
    """Write a song. The file of its segments comes last and marks the song as complete."""
    parts = split_at_rests(song.segment, step_s=STEP_S)
    named = []
    for (segment, wave), part in zip(cut_song(song.wave, parts, name), parts, strict=True):
        write_recording(out, segment, wave)
        extra = {"name": segment.name}
        named.append(replace(part, name=segment.name, f0=None, extra=extra))
    write_musicxml(out / SONGS / f"{name}.musicxml", score)
    write_ds(out / SONGS / f"{name}.ds", named)


def finish_collection(
    out: Path, songs: int, card: Callable[[int, float], str], *settings: str
) -> None:
    """Write the table and the card of all complete songs, and print the next command.

    Args:
        out: Folder of the collection.
        songs: Number of its songs.
        card: Function from the number of phrases and their seconds to the text of the card.
        *settings: Options of ``oneleap fit`` that the songs need.
    """
    from oneleap.core.cli.advice import next_line

    segments: list[Segment] = []
    for path in sorted((out / SONGS).glob("*.ds")):
        for segment in read_ds(path):
            segments.append(replace(segment, name=str(segment.extra["name"]), extra={}))
    write_table(out, tuple(segments))
    seconds = sum(segment.seconds for segment in segments)
    with atomic_write(out / "README.md") as path:
        path.write_text(card(len(segments), seconds), encoding="utf-8")
    print(f"{out / TABLE}: phrases {len(segments)}, songs {songs}, {seconds / 60:.1f} min")
    print(next_line("fit", "--config", "singing/flow", "--data.path", f"[{out}]", *settings))


def _card(sources: dict[str, str], phrase_count: int, seconds: float) -> str:
    melodies = "\n".join(f"- {name}: {source}" for name, source in sources.items())
    return f"""# Songs sung by Sinsy

Songs {len(sources)}, phrases {phrase_count}, {seconds / 60:.1f} minutes, 48 kHz mono. Made by
`oneleap collect singing`: melodies with random Japanese morae without meaning.

- `{TABLE}`: the columns of openvpi; words begin with their vowels.
- `wavs/`: sound. `f0/`: pitch of the synthesizer in Hz, every 5 ms, 0 in unvoiced parts.
- `{SONGS}/`: score (MusicXML) and segments (`.ds`) of each song.

## Licenses

- Voice: {LICENSE}, through pysinsy (MIT) and hts_engine (modified BSD). The sound is derived from
  that voice, with its pitch moved onto the notes; attribute its makers.
- Folk melodies of the Essen collection are old and free. Their encodings (H. Schaffrath,
  E. Dahlig-Turek; ABC by S. Shlien) come with music21 by permission for non-commercial use.
- Invented melodies and all words: generated by this program, CC0.

## Melodies

{melodies}
"""


def open_collection(out: Path, settings: dict[str, object]) -> None:
    """Start a collection, or check that the one in the folder has the same settings.

    Raises:
        InputError: The settings differ, or the folder holds other recordings.
    """
    file = out / SONGS / "settings.json"
    if file.exists():
        if json.loads(file.read_text(encoding="utf-8")) != settings:
            raise InputError(
                f"{out} holds a collection with other settings: name another folder with --out"
            )
        print(f"continuing {out}", file=sys.stderr)
        return
    if (out / TABLE).exists():
        raise InputError(f"{out} holds other recordings: name another folder with --out")
    with atomic_write(file) as path:
        path.write_text(json.dumps(settings) + "\n", encoding="utf-8")
