"""``oneleap compose``: generate music under control, as a sound file and a plot."""

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

    from oneleap.domains.music.composer.optimize import ProgressCallback
    from oneleap.domains.music.composer.request import CompositionRequest
    from oneleap.domains.music.composer.session import Composition


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (oneleap compose --help)")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the arguments."""
    p = _Parser(
        prog="oneleap compose",
        allow_abbrev=False,
        description="Generate music under control. "
        "Example: oneleap compose --intensity rise --melody tune.mid -o out.wav",
        epilog="Controls can be combined. --weight melody=2 doubles the weight of one.",
    )
    controls = p.add_argument_group("controls")
    add = controls.add_argument
    add("--intensity", help="loudness: rise, fall, hill, valley, flat, loud, quiet, ... or a .csv")
    add("--quiet-db", type=float, help="lowest level of a preset, dB re full scale (-34)")
    add("--loud-db", type=float, help="highest level of a preset, dB re full scale (-16)")
    add("--melody", type=Path, help="MIDI file, or recording of a person who hums")
    add("--structure", help="one letter per section: ABA")
    add("--timbre", type=Path, help="recording whose timbre the piece is to have")
    add("--inpaint", type=Path, help="recording with a gap to fill, --from and --to")
    add("--from", type=float, dest="begin", help="start of the gap, seconds")
    add("--to", type=float, dest="end", help="end of the gap, seconds")
    add("--outpaint", type=Path, help="recording to continue, until --seconds")
    add("--loop", action="store_true", help="make the end lead into the start")
    add("--target_tags", help="tags that musicnn is to recognize, with commas: piano,slow")
    add("--tagger", type=Path, help="weights of musicnn, .npz or .safetensors")
    add("--prompt", help="text that describes the piece, for CLAP: 'calm piano'")
    add("--clap", help="folder or hub name of a CLAP model, for transformers")
    add("--weight", action="append", default=[], metavar="NAME=W", help="weight of a control (1)")
    p.add_argument("--seconds", type=float, help="duration of the whole piece (6)")
    p.add_argument("--tags", default="", help="tags that the composer is conditioned on: a,b")
    p.add_argument("--guidance", type=float, help="guidance scale of the tags (the composer's own)")
    p.add_argument("--method", default="ditto2", help="ditto2, or ditto, which is 20 times slower")
    p.add_argument("--steps", type=int, help="optimizer steps (70; melody and structure 150)")
    p.add_argument("--lr", type=float, default=0.02, help="learning rate (0.02)")
    p.add_argument("--candidates", type=int, default=1, help="random starts, the best is used (1)")
    p.add_argument("--decode", type=int, help="steps of the final sound; by default 1 to 8 tried")
    p.add_argument("--model", default=None, help="name of a shipped composer, or a folder")
    p.add_argument("--seed", type=int, default=0, help="seed of the noise (0)")
    p.add_argument("-o", "--out", type=Path, default=Path("music.wav"), help="(music.wav)")
    p.add_argument("--no-picture", action="store_true", help="do not write the plot")
    return p


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Raises:
        InputError: If an argument, a file or a model is invalid.
    """
    given = parser().parse_args(argv)
    out: Path = given.out
    if out.suffix.lower() not in (".wav", ".flac", ".ogg"):
        raise InputError(f"{out}: the sound file must end in .wav, .flac or .ogg")
    from oneleap.domains.music.composer.composer import Composer
    from oneleap.domains.music.composer.ditto2 import DECODE_STEPS
    from oneleap.domains.music.composer.generation import GenerationSettings, default_steps
    from oneleap.domains.music.composer.loading import DEFAULT
    from oneleap.domains.music.composer.session import Session

    if given.method not in ("ditto2", "ditto"):
        raise InputError(f"method: expected ditto2 or ditto, not '{given.method}'")
    if given.seed < 0 or (given.decode is not None and given.decode < 1):
        raise InputError(
            f"seed must be at least 0 and decode at least 1: got {given.seed}, {given.decode}"
        )
    if given.decode is not None and given.method == "ditto":
        raise InputError("decode: the sampler of ditto has its own steps: leave it out")
    request = request_from(given)
    long = [name for name in ("melody", "structure") if getattr(request, name) is not None]
    steps: int = default_steps(*long) if given.steps is None else given.steps
    settings = GenerationSettings(
        method=given.method,
        steps=steps,
        lr=given.lr,
        candidates=given.candidates,
        guidance=given.guidance,
        decode_steps=DECODE_STEPS if given.decode is None else (given.decode,),
    )
    composer = Composer.load(given.model or DEFAULT)
    start = time.perf_counter()
    with _progress(steps) as progress:
        session = Session(
            composer,
            request,
            settings,
            tags=_split_commas(given.tags),
            seed=given.seed,
            progress=progress,
        )
        piece = session.compose()
    piece.wave.save(out)
    took = time.perf_counter() - start
    if not given.no_picture:
        from oneleap.domains.music.evaluation.plots import plot_controls

        history = piece.clips[0].optimization.history if piece.clips else {}
        plot = out.with_suffix(".png")
        plot_controls(plot, piece.clip_mel, composer.spec.mel, piece.controls, history)
    print(summary(piece), file=sys.stderr)
    print(f"{out}: {piece.wave.seconds:.1f} s of music in {took:.1f} s", file=sys.stderr)
    return 0


def request_from(given: argparse.Namespace) -> "CompositionRequest":
    """Return the request that the arguments describe.

    Raises:
        InputError: If they cannot be combined.
    """
    from oneleap.domains.music.composer.request import CompositionRequest
    from oneleap.domains.music.controls.targets import LOUD_DB, QUIET_DB

    if (given.begin is None) != (given.end is None) or (given.begin is not None) != bool(
        given.inpaint
    ):
        raise InputError("inpaint: give a recording and its gap: --inpaint IN.wav --from 2 --to 4")
    return CompositionRequest(
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
        target_tags=_split_commas(given.target_tags or ""),
        tagger=given.tagger,
        prompt=given.prompt,
        clap=given.clap,
        weights=dict(map(_parse_weight, given.weight)),
    )


def _split_commas(text: str) -> tuple[str, ...]:
    """Split a list of words at its commas."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _parse_weight(text: str) -> tuple[str, float]:
    """Parse ``NAME=NUMBER``.

    Raises:
        InputError: If it is something else, or the number is not positive.
    """
    name, equals, number = text.partition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = float("nan")
    if not equals or not 0 < weight < float("inf"):
        raise InputError(f"weight: expected NAME=NUMBER, such as melody=2, not '{text}'")
    return name, weight


@contextmanager
def _progress(steps: int) -> Iterator["ProgressCallback"]:
    """Show a progress bar with the metric of each control on the standard error stream."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("step"), MofNCompleteColumn(), BarColumn(20))
    text = TextColumn("{task.description}")
    with Bar(*columns, text, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=steps)

        def show(k: int, metrics: "Mapping[str, Tensor]") -> None:
            figures = (f"{name} {float(value[0]):.3g}" for name, value in metrics.items())
            bar.update(task, completed=k, description="  ".join(figures))

        yield show


def summary(piece: "Composition") -> str:
    """Return a line per clip with the metric of each control, and a line about the seams."""
    lines = list[str]()
    for k, clip in enumerate(piece.clips):
        units = {control.name: control.unit for control in piece.controls}
        found = (
            f"{name} {float(value[0]):.3g} {units.get(name, '')}".strip()
            for name, value in clip.metrics.items()
        )
        where = f"clip {k + 1}: " if len(piece.clips) > 1 else ""
        text = ", ".join(found) or "no controls"
        lines.append(f"{where}{text}; {clip.decode_steps} decoding steps")
    if piece.seams is not None and piece.seams.flux:
        highest = max(piece.seams.flux)
        lines.append(f"seams: spectral flux up to {highest:.2f}, limit {piece.seams.limit:.2f} dB")
    return "\n".join(lines)
