"""``oneleap sing``: sing a score."""

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
    """The argument parser. It is written by hand because values of --key may begin with a sign."""
    p = _Parser(
        prog="oneleap sing",
        allow_abbrev=False,
        description="Sing a score in one network call. Example: oneleap sing song.musicxml",
    )
    p.add_argument("score", type=Path, help="MusicXML or MIDI with lyrics, .ds, or HTS labels")
    p.add_argument("-o", "--out", type=Path, help="sound file (name of the score, .wav)")
    p.add_argument("--voice", default=None, help="name of a shipped singer, or folder of a singer")
    p.add_argument("--steps", type=int, help="sampler steps (the number of the voice, 1)")
    p.add_argument("--key", type=float, default=0.0, help="transposition in semitones: +2, -3 (0)")
    p.add_argument("--tempo", type=float, default=1.0, help="tempo factor, 2 is twice as fast (1)")
    p.add_argument("--dictionary", type=Path, help="dictionary for lyrics that are not Japanese")
    p.add_argument("--verse", type=int, default=1, help="verse to sing (1)")
    p.add_argument("--seed", type=int, default=0, help="seed of the noise (0)")
    return p


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Raises:
        InputError: The score or the voice is invalid.
    """
    given = parser().parse_args(argv)
    if given.steps is not None and given.steps < 1:
        raise InputError(f"steps: at least 1, not {given.steps}")
    from oneleap.domains.singing.lyrics.phonemes import read_dictionary
    from oneleap.domains.singing.scores.read import read_score
    from oneleap.domains.singing.voice.loading import DEFAULT, shipped_singers
    from oneleap.domains.singing.voice.singer import Singer

    if given.voice is None and DEFAULT not in shipped_singers():
        raise InputError(
            "no singer ships with this installation: train its four models (oneleap configs), pack "
            "them with oneleap singer, and name the folder with --voice"
        )
    phonemes = None if given.dictionary is None else read_dictionary(given.dictionary)
    segments = read_score(given.score, phonemes, verse=given.verse)
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
