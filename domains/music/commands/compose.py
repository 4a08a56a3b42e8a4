"""``oneleap compose``: generate music under control, as a sound file and a plot."""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from oneleap.core.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from oneleap.domains.audio.mel import Mel
    from oneleap.domains.music.composer.optimize import ProgressCallback
    from oneleap.domains.music.composer.session import Composition


def compose(
    out: Path = Path("music.wav"),
    intensity: str | None = None,
    quiet_db: float = -34.0,
    loud_db: float = -16.0,
    melody: Path | None = None,
    structure: str | None = None,
    timbre: Path | None = None,
    inpaint: Path | None = None,
    from_: float | None = None,
    to: float | None = None,
    outpaint: Path | None = None,
    loop: bool = False,
    target_tags: str = "",
    tagger: Path | None = None,
    prompt: str | None = None,
    clap: str | None = None,
    weight: list[str] | None = None,
    seconds: float | None = None,
    tags: str = "",
    guidance: float | None = None,
    method: Literal["ditto2", "ditto"] = "ditto2",
    steps: int | None = None,
    lr: float = 0.02,
    candidates: int = 1,
    decode: int | None = None,
    model: str = "tunes",
    seed: int = 0,
    no_picture: bool = False,
) -> None:
    """Generate music under control. Controls can be combined.

    Example: oneleap compose --intensity rise --melody tune.mid -o out.wav

    Args:
        out: Sound file to write (.wav, .flac or .ogg). The plot is written beside it.
        intensity: Curve of loudness: rise, fall, hill, valley, flat, loud, quiet, late, early,
            waves, or a .csv file.
        quiet_db: Lowest level of a curve that is given by name, dB relative to full scale.
        loud_db: Highest level of a curve that is given by name, dB relative to full scale.
        melody: Melody to follow: a MIDI file, or a recording of a person who hums.
        structure: One letter per section, such as ABA.
        timbre: Recording whose timbre the piece is to have.
        inpaint: Recording with a gap to fill; name the gap with --from and --to.
        from_: Start of the gap in seconds.
        to: End of the gap in seconds.
        outpaint: Recording to continue, until --seconds.
        loop: Make the end lead into the start.
        target_tags: Tags that musicnn is to recognize, with commas: piano,slow.
        tagger: Weights of musicnn, .npz or .safetensors.
        prompt: Text that describes the piece, for CLAP: 'calm piano'.
        clap: Folder or hub name of a CLAP model, for the library transformers.
        weight: Weight of a control as NAME=NUMBER, such as melody=2; the option can be repeated.
        seconds: Duration of the whole piece; by default 6, or 6 more than a recording to continue.
        tags: Tags that the composer is conditioned on, with commas.
        guidance: Guidance scale of the tags; by default the composer's.
        method: Method of control; ditto is about twenty times slower than ditto2.
        steps: Maximum number of optimizer steps; by default 70, or 150 for melody and structure.
        lr: Learning rate of the optimizer.
        candidates: Number of random starts, of which the best is used.
        decode: Number of network steps for the final sound; by default the best of 1, 2, 4 and 8.
        model: Name of a shipped composer, folder of a composer, or run.
        seed: Seed of the noise.
        no_picture: Do not write the plot.

    Raises:
        InputError: If an argument, a file or a model is invalid.
    """
    _check(out, seed, decode, method)
    from oneleap.domains.audio.wave import check_sound_file

    check_sound_file(out)
    from oneleap.domains.music.composer.composer import Composer
    from oneleap.domains.music.composer.ditto2 import DECODE_STEPS
    from oneleap.domains.music.composer.generation import GenerationSettings, default_steps
    from oneleap.domains.music.composer.request import CompositionRequest
    from oneleap.domains.music.composer.session import Session

    request = CompositionRequest(
        seconds=seconds,
        intensity=intensity,
        quiet_db=quiet_db,
        loud_db=loud_db,
        melody=melody,
        structure=structure,
        timbre=timbre,
        inpaint=inpaint,
        gap=_gap(inpaint, from_, to),
        outpaint=outpaint,
        loop=loop,
        target_tags=_split_commas(target_tags),
        tagger=tagger,
        prompt=prompt,
        clap=clap,
        weights=dict(map(_parse_weight, weight or [])),
    )
    settings = GenerationSettings(
        method=method,
        steps=default_steps(*request.controls) if steps is None else steps,
        lr=lr,
        candidates=candidates,
        guidance=guidance,
        decode_steps=DECODE_STEPS if decode is None else (decode,),
    )
    composer = Composer.load(model)
    start = time.perf_counter()
    with _progress(settings.steps) as progress:
        session = Session(
            composer, request, settings, tags=_split_commas(tags), seed=seed, progress=progress
        )
        piece = session.compose()
    piece.wave.save(out)
    took = time.perf_counter() - start
    if not no_picture:
        _plot(piece, out.with_suffix(".png"), composer.spec.mel)
    print(summary(piece), file=sys.stderr)
    print(f"{out}: {piece.wave.seconds:.1f} s of music in {took:.1f} s", file=sys.stderr)


def _check(out: Path, seed: int, decode: int | None, method: str) -> None:
    """Check arguments before anything heavy is imported.

    Raises:
        InputError: If one is out of range, or two cannot be combined.
    """
    if out.suffix.lower() not in (".wav", ".flac", ".ogg"):
        raise InputError(f"{out}: the sound file must end in .wav, .flac or .ogg")
    if seed < 0 or (decode is not None and decode < 1):
        raise InputError(f"seed must be at least 0 and decode at least 1: got {seed}, {decode}")
    if decode is not None and method == "ditto":
        raise InputError("decode: the sampler of ditto has its own steps: leave it out")


def _gap(
    inpaint: Path | None, begin: float | None, end: float | None
) -> tuple[float, float] | None:
    """Return start and end of the gap.

    Raises:
        InputError: If one is missing, or there is no recording.
    """
    if begin is None and end is None and inpaint is None:
        return None
    if begin is None or end is None or inpaint is None:
        raise InputError("inpaint: give a recording and its gap: --inpaint IN.wav --from 2 --to 4")
    return begin, end


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


def _plot(piece: "Composition", path: Path, spec: "Mel") -> None:
    """Write the plot of a piece."""
    from oneleap.domains.music.evaluation.plots import plot_controls

    history = piece.clips[0].optimization.history if piece.clips else {}
    plot_controls(path, piece.clip_mel, spec, piece.controls, history)


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
        steps = f"{clip.decode_steps} decoding step{'s' if clip.decode_steps > 1 else ''}"
        lines.append(f"{where}{text}; {steps}")
    if piece.seams is not None and piece.seams.flux:
        seams = piece.seams
        text = f"seams: spectral flux up to {max(seams.flux):.2f}, limit {seams.limit:.2f} dB"
        if seams.level:
            text += f"; loudness jumps by up to {max(seams.level):.1f}"
            text += f", limit {seams.level_limit:.1f} dB"
        lines.append(text)
        if seams.audible:
            heard = ", ".join(str(k + 1) for k in seams.audible)
            lines.append(f"seams: {heard} of {len(seams.flux)} can be heard: try another --seed")
    return "\n".join(lines)
