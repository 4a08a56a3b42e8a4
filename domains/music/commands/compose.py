"""``oneleap compose``: music under control, a sound file and a picture beside it."""

import argparse
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from oneleap.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from oneleap.domains.music.composer.optimise import Progress
    from oneleap.domains.music.composer.request import Wishes
    from oneleap.domains.music.composer.session import Piece


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (oneleap compose --help)")


def parser() -> argparse.ArgumentParser:
    """The arguments; written out, for one of them is ``--from``."""
    p = _Parser(
        prog="oneleap compose",
        allow_abbrev=False,
        description="Music under control. "
        "Example: oneleap compose --intensity rise --melody tune.mid -o out.wav",
        epilog="Any mix of controls; --weight melody=2 makes one count more.",
    )
    controls = p.add_argument_group("controls")
    add = controls.add_argument
    add("--intensity", help="loudness: rise, fall, hill, valley, flat, loud, quiet, ... or a .csv")
    add("--quiet-db", type=float, help="level of a preset's quiet, dB below full scale (-34)")
    add("--loud-db", type=float, help="level of its loud (-16)")
    add("--melody", type=Path, help="a MIDI file, or a recording of someone humming")
    add("--structure", help="a letter for each section: ABA")
    add("--timbre", type=Path, help="a recording whose colour is wanted")
    add("--inpaint", type=Path, help="a recording with a gap to fill, --from and --to")
    add("--from", type=float, dest="begin", help="where the gap begins, seconds")
    add("--to", type=float, dest="end", help="where it ends")
    add("--outpaint", type=Path, help="a recording to go on from, until --seconds")
    add("--loop", action="store_true", help="the end leads to the beginning")
    add("--hear", help="tags that musicnn is to hear, with commas: piano,slow")
    add("--tagger", type=Path, help="musicnn's weights, .npz or .safetensors")
    add("--words", help="what it is to be like, for CLAP: 'calm piano'")
    add("--clap", help="folder or hub name of a CLAP, for transformers")
    add("--weight", action="append", default=[], metavar="NAME=W", help="of a control's loss (1)")
    p.add_argument("--seconds", type=float, help="length of the whole (6)")
    p.add_argument("--tags", default="", help="what the composer was trained to be told: a,b")
    p.add_argument("--guidance", type=float, help="how strongly it obeys them; its own if left out")
    p.add_argument("--method", default="ditto2", help="ditto2, or ditto, some twenty times slower")
    p.add_argument("--steps", type=int, help="of the search, at most (70; melody, structure 150)")
    p.add_argument("--lr", type=float, default=0.02, help="its learning rate (0.02)")
    p.add_argument("--candidates", type=int, default=1, help="draws to start from the best of (1)")
    p.add_argument("--decode", type=int, help="steps of the final sound; by default 1 to 8 tried")
    p.add_argument("--model", default=None, help="name of a shipped composer, or a folder")
    p.add_argument("--seed", type=int, default=0, help="of the noise (0)")
    p.add_argument("-o", "--out", type=Path, default=Path("music.wav"), help="(music.wav)")
    p.add_argument("--no-picture", action="store_true", help="leave the picture out")
    return p


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Raises:
        InputError: If a file, a model or a combination is not as it should be.
    """
    given = parser().parse_args(argv)
    out: Path = given.out
    if out.suffix.lower() not in (".wav", ".flac", ".ogg"):
        raise InputError(f"{out}: name the sound .wav, .flac or .ogg")
    from oneleap.domains.music.composer.composer import Composer
    from oneleap.domains.music.composer.ditto2 import STEPS
    from oneleap.domains.music.composer.loading import DEFAULT
    from oneleap.domains.music.composer.session import Session
    from oneleap.domains.music.composer.steering import Settings, search_steps

    if given.method not in ("ditto2", "ditto"):
        raise InputError(f"method: ditto2 or ditto, not '{given.method}'")
    if given.seed < 0 or (given.decode is not None and given.decode < 1):
        raise InputError(f"seed from 0, decode from 1: not {given.seed}, {given.decode}")
    if given.decode is not None and given.method == "ditto":
        raise InputError("decode: ditto has its sampler's own steps: leave it out")
    wishes = wishes_of(given)
    long = [name for name in ("melody", "structure") if getattr(wishes, name) is not None]
    steps: int = search_steps(*long) if given.steps is None else given.steps
    settings = Settings(
        method=given.method,
        steps=steps,
        lr=given.lr,
        candidates=given.candidates,
        guidance=given.guidance,
        decode_steps=STEPS if given.decode is None else (given.decode,),
    )
    composer = Composer.load(given.model or DEFAULT)
    start = time.perf_counter()
    with _progress(steps) as progress:
        session = Session(
            composer,
            wishes,
            settings,
            tags=_words(given.tags),
            seed=given.seed,
            progress=progress,
        )
        piece = session.make()
    piece.wave.save(out)
    took = time.perf_counter() - start
    if not given.no_picture:
        from oneleap.domains.music.evaluation.plots import draw

        history = piece.parts[0].search.history if piece.parts else {}
        draw(out.with_suffix(".png"), piece.clip, composer.spec.mel, piece.controls, history)
    print(report(piece), file=sys.stderr)
    print(f"{out}: {piece.wave.seconds:.1f} s of music in {took:.1f} s", file=sys.stderr)
    return 0


def wishes_of(given: argparse.Namespace) -> "Wishes":
    """What the arguments ask for.

    Raises:
        InputError: If they do not go together.
    """
    from oneleap.domains.music.composer.request import Wishes
    from oneleap.domains.music.controls.targets import LOUD_DB, QUIET_DB

    if (given.begin is None) != (given.end is None) or (given.begin is not None) != bool(
        given.inpaint
    ):
        raise InputError("inpaint: a recording and its gap: --inpaint IN.wav --from 2 --to 4")
    return Wishes(
        seconds=given.seconds,
        intensity=given.intensity,
        quiet_db=QUIET_DB if given.quiet_db is None else given.quiet_db,
        loud_db=LOUD_DB if given.loud_db is None else given.loud_db,
        melody=given.melody,
        structure=given.structure,
        timbre=given.timbre,
        inpaint=given.inpaint,
        gap=None if given.begin is None else (given.begin, given.end),
        outpaint=given.outpaint,
        loop=given.loop,
        hear=_words(given.hear or ""),
        tagger=given.tagger,
        words=given.words,
        clap=given.clap,
        weights=dict(map(_weight, given.weight)),
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _weight(text: str) -> tuple[str, float]:
    name, equals, number = text.partition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = float("nan")
    if not equals or not 0 < weight < float("inf"):
        raise InputError(f"weight: NAME=NUMBER above 0, such as melody=2, not '{text}'")
    return name, weight


@contextmanager
def _progress(steps: int) -> Iterator["Progress"]:
    """A bar on the standard error stream, with each control's figure."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("step"), MofNCompleteColumn(), BarColumn(20))
    text = TextColumn("{task.description}")
    with Bar(*columns, text, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=steps)

        def tell(k: int, metrics: "Mapping[str, Tensor]") -> None:
            figures = (f"{name} {float(value[0]):.3g}" for name, value in metrics.items())
            bar.update(task, completed=k, description="  ".join(figures))

        yield tell


def report(piece: "Piece") -> str:
    """A line for each control of each clip."""
    lines = list[str]()
    for k, part in enumerate(piece.parts):
        units = {control.name: control.unit for control in piece.controls}
        found = (
            f"{name} {float(value[0]):.3g} {units.get(name, '')}".strip()
            for name, value in part.metrics.items()
        )
        where = f"clip {k + 1}: " if len(piece.parts) > 1 else ""
        text = ", ".join(found) or "nothing was asked for"
        lines.append(f"{where}{text}; {part.decode_steps} decoding steps")
    if piece.seams is not None and piece.seams.flux:
        loudest = max(piece.seams.flux)
        lines.append(f"seams: spectral flux up to {loudest:.2f}, limit {piece.seams.limit:.2f} dB")
    return "\n".join(lines)
