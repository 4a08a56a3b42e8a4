"""The tab Compose: music that follows a curve, a melody, a structure or a recording."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.presets import PRESETS
from oneleap.domains.studio import request as ask
from oneleap.domains.studio.components import picture, player
from oneleap.domains.studio.curve import curve_editor, preset_levels
from oneleap.domains.studio.handling import (
    MODEL,
    as_sound,
    check_range,
    clear_errors,
    nothing,
    seed_of,
    short_paths,
)
from oneleap.domains.studio.models import composer_tags, load_composer

if TYPE_CHECKING:
    from torch import Tensor

    from oneleap.domains.music import Composition

LIMIT_S = 240.0
"""Seconds after which an optimization is given up."""


def compose(
    form: ask.Form,
    tags: Sequence[str],
    steps: int,
    seed: int,
    report: Callable[[int], None] | None = None,
) -> "tuple[Composition, NDArray[np.uint8]]":
    """Compose a piece with the shipped composer.

    Args:
        form: What the piece is to follow.
        tags: Tags that the composer is conditioned on.
        steps: Number of optimizer steps for each clip.
        seed: Seed of the noise.
        report: Called with the number of steps of the clip that are done.

    Returns:
        The piece, and a plot of its controls, (h, w, 3).

    Raises:
        InputError: If the form is invalid, or the optimization takes longer than :data:`LIMIT_S`.
    """
    check_range("steps", steps, *ask.STEPS)
    from PIL import Image

    from oneleap.domains.music import GenerationSettings, Session, plot_controls

    start = time.monotonic()

    def progress(done: int, _: "Mapping[str, Tensor]") -> None:
        if time.monotonic() - start > LIMIT_S:
            raise InputError(f"took longer than {LIMIT_S:g} s: ask for fewer steps or seconds")
        if report is not None:
            report(done)

    with TemporaryDirectory() as folder, short_paths(form.recording, form.midi):
        request = ask.read_request(form, Path(folder))
        composer = load_composer()
        settings = GenerationSettings(steps=steps)
        piece = Session(
            composer, request, settings, tags=tags, seed=seed, progress=progress
        ).compose()
        plot = Path(folder) / "plot.png"
        history = piece.clips[0].optimization.history if piece.clips else {}
        plot_controls(plot, piece.clip_mel, composer.spec.mel, piece.controls, history)
        return piece, np.asarray(Image.open(plot).convert("RGB"), np.uint8)


def compose_tab(seed: int) -> None:
    """Build the tab inside a Gradio page.

    Args:
        seed: Seed that the tab begins with.
    """
    import gradio as gr

    gr.Markdown(
        "The initial noise of a one-step model is optimized until the piece follows what you ask "
        "for (DITTO-2): each step is one network call and its gradient."
    )
    with gr.Row():
        with gr.Column():
            names = [ask.NONE, ask.DRAWN, *PRESETS]
            curve = gr.Dropdown(
                names,
                value="rise",
                label="Loudness over time",
                info="choose a curve, or draw one below",
                elem_id="curve-name",
            )
            editor = curve_editor("rise")
            with gr.Row():
                seconds = gr.Slider(*ask.SECONDS, 6.0, step=0.5, label="Length", info="in seconds")
                steps = gr.Slider(*ask.STEPS, 70.0, step=5.0, label="Steps", info="of optimization")
            structure = gr.Textbox(
                label="Structure",
                info="a letter for each section, such as ABA",
                elem_id="structure",
            )
            tags = gr.Dropdown(
                composer_tags(), multiselect=True, label="Tags", info="what the music is like"
            )
            loop = gr.Checkbox(label="Loop: the end leads into the start")
            with gr.Accordion("A recording or a melody", open=False, elem_id="material"):
                recording = gr.Audio(
                    sources=["microphone", "upload"],
                    type="filepath",
                    label="Hum, or upload",
                    buttons=[],
                )
                uses = [ask.MELODY, ask.TIMBRE, ask.CONTINUE, ask.GAP]
                use = gr.Radio(uses, value=ask.MELODY, label="Use of the recording")
                with gr.Row():
                    begin = gr.Number(2.0, label="Start of the gap (s)")
                    end = gr.Number(3.0, label="End of the gap (s)")
                midi = gr.File(
                    label="or the melody as MIDI",
                    file_types=[".mid", ".midi"],
                    type="filepath",
                    elem_id="melody",
                )
            noise = gr.Number(seed, precision=0, label="Seed of the noise")
            button = gr.Button("Compose", variant="primary", elem_id="compose-button")
        with gr.Column():
            sound = player("Music", "music")
            cost = gr.Markdown(elem_id="music-cost")
            plot = picture("Asked for and achieved", "plot")
    tracker = gr.Progress()
    fields = (curve, editor, seconds, structure, loop, recording, use, begin, end, midi)

    def on_compose(given: dict[Any, Any], progress: Any = tracker) -> tuple[Any, str, Any]:
        from oneleap.domains.music.commands.compose import summary

        with clear_errors("music"):
            number, most = seed_of(given[noise]), int(given[steps])
            form = ask.Form(*(given[field] for field in fields))  # in the order of its attributes
            start = time.perf_counter()
            piece, image = compose(
                form, given[tags], most, number, lambda done: progress((done, most))
            )
            took = time.perf_counter() - start
        found = summary(piece).replace("^2", "²").replace("\n", "  \n")  # lines of Markdown
        text = f"{piece.wave.seconds:.1f} s of music in {took:.1f} s: {found}"
        return as_sound(piece.wave), text, image

    curve.input(lambda name: preset_levels(name) if name in PRESETS else gr.skip(), curve, editor)
    editor.input(lambda: ask.DRAWN, None, curve)
    button.click(
        on_compose,
        {tags, steps, noise, *fields},
        [sound, cost, plot],
        show_progress_on=sound,
        concurrency_id=MODEL,
        concurrency_limit=1,
    ).failure(nothing(3), None, [sound, cost, plot])
