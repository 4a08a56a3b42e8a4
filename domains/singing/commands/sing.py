"""``oneleap sing``: a score to sound; ``oneleap singer``: trained models to one folder."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from oneleap.core.errors import InputError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (oneleap sing --help)")


def parser() -> argparse.ArgumentParser:
    """The arguments; written out, for some have a letter and a key may begin with a sign."""
    p = _Parser(
        prog="oneleap sing",
        allow_abbrev=False,
        description="Sing a score in one network call. Example: oneleap sing song.musicxml",
    )
    p.add_argument("score", type=Path, help="MusicXML or MIDI with lyrics, .ds, or HTS labels")
    p.add_argument("-o", "--out", type=Path, help="sound file (the score's name, .wav)")
    p.add_argument("--voice", default=None, help="name of a shipped singer, or a folder")
    p.add_argument("--steps", type=int, help="of the spectrogram's sampler (the voice's own: 1)")
    p.add_argument("--key", type=float, default=0.0, help="semitones up or down: +2, -3 (0)")
    p.add_argument("--tempo", type=float, default=1.0, help="2 is twice as fast (1)")
    p.add_argument("--dictionary", type=Path, help="of syllables, if the lyrics aren't Japanese")
    p.add_argument("--verse", type=int, default=1, help="of a score that has several (1)")
    p.add_argument("--seed", type=int, default=0, help="of the noise (0)")
    return p


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Raises:
        InputError: If the score or the voice is not as it should be.
    """
    given = parser().parse_args(argv)
    if given.steps is not None and given.steps < 1:
        raise InputError(f"steps: at least 1, not {given.steps}")
    from oneleap.domains.singing.lyrics.phonemizer import read_dictionary
    from oneleap.domains.singing.scores.read import read_segments
    from oneleap.domains.singing.voice.loading import DEFAULT, shipped
    from oneleap.domains.singing.voice.singer import Singer

    if given.voice is None and DEFAULT not in shipped():
        raise InputError(
            "no singer ships here: train its four models (oneleap configs), pack them by "
            "oneleap singer, and name the folder by --voice"
        )
    said = None if given.dictionary is None else read_dictionary(given.dictionary)
    segments = read_segments(given.score, said, verse=given.verse)
    singer = Singer.load(given.voice or DEFAULT)
    start = time.perf_counter()
    try:
        wave = singer.sing(
            segments, steps=given.steps, key=given.key, tempo=given.tempo, seed=given.seed
        )
    except InputError as error:
        raise InputError(f"{given.score}: {error}") from None
    took = time.perf_counter() - start
    out = Path(given.score.with_suffix(".wav").name) if given.out is None else given.out
    wave.save(out)
    print(f"{out}: {wave.seconds:.1f} s of song in {took:.2f} s", file=sys.stderr)
    return 0


def pack(
    acoustic: Path,
    durations: Path,
    pitch: Path,
    vocoder: Path,
    out: Path,
    variance: Path | None = None,
    card: Path | None = None,
    full: bool = False,
) -> None:
    """Put the models of a singer into one folder, a voice for ``oneleap sing``.

    Only the averages are kept, at 16 bits.

    Example: oneleap singer runs/singing/A runs/singing/D runs/singing/P runs/audio/V singers/mine

    Args:
        acoustic: Run, or model folder, of an acoustic model.
        durations: Likewise, of a duration model.
        pitch: Of a pitch model.
        vocoder: Of a source-filter vocoder of the same mel contract.
        out: Folder of the singer.
        variance: Of a model of energy and breathiness, where the acoustic model heeds them.
        card: Markdown that says who sings, and under what licence.
        full: Keep 32 bits.

    Raises:
        InputError: If the parts do not fit, or the folder exists.
    """
    from oneleap.domains.audio.vocoders.nsf import NSF
    from oneleap.domains.singing.models.acoustic import Acoustic
    from oneleap.domains.singing.models.curves import Curves
    from oneleap.domains.singing.models.durations import Durations
    from oneleap.domains.singing.voice import loading as store
    from oneleap.domains.singing.voice.singer import Singer

    if out.exists():
        raise InputError(f"{out} exists already: delete it, or name another folder")
    if card is not None and not card.is_file():
        raise InputError(f"card: {card}: no such file")
    text = f"# {out.name}\n" if card is None else card.read_text(encoding="utf-8")
    singer = Singer.of(
        store.load_part(acoustic, store.ACOUSTIC, Acoustic),
        store.load_part(durations, store.DURATIONS, Durations),
        store.load_part(pitch, store.PITCH, Curves),
        store.load_part(vocoder, store.VOCODER, NSF),
        None if variance is None else store.load_part(variance, store.VARIANCE, Curves),
    )
    singer.save(out, card=text, half=not full)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 2**20:.1f} MiB")
