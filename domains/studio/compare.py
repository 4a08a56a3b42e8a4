"""The tab Compare: sampling in several steps and in one, side by side."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.studio.components import picture, player
from oneleap.domains.studio.handling import (
    MODEL,
    as_pixels,
    as_sound,
    clear_errors,
    nothing,
    seed_of,
)
from oneleap.domains.studio.models import composer_tags, voice_names
from oneleap.domains.studio.sampling import STEPS, TIMED, compare_composer, compare_voice
from oneleap.domains.studio.speak import MAX_CHARACTERS

if TYPE_CHECKING:
    from oneleap.domains.audio.wave import Wave

VOICE, MUSIC = "a voice", "the composer"
"""Choices of what is compared."""

TEXT = "One call of a network turns noise into this sentence."
"""Text that the tab begins with."""

HEADER = ["sampling", "network calls", "ms in calls", "ms in all"]
"""Columns of the table."""

ABOUT = {
    VOICE: "**The same weights twice.** A shipped voice is a one-step student, and its teacher "
    "does not ship. Left, the student's flow map is applied in several equal steps; right, in "
    "one. Text, noise and durations are the same. A student is trained to need one step: more "
    "steps are no better reference.",
    MUSIC: "**A teacher and its student.** Left, the base model of the shipped composer in "
    "several Euler steps; with tags, each step takes two calls (guidance 2). Right, the student "
    "that was distilled from it, in one step. Noise and tags are the same.",
}
"""What is compared, in plain words."""


def spectrogram(wave: "Wave") -> NDArray[np.uint8]:
    """Draw the mel spectrogram of a sound, (h, w, 3)."""
    import torch
    from matplotlib.figure import Figure

    from oneleap.domains.audio import Mel, log_mel

    mel = Mel(sample_rate=wave.sample_rate, n_mels=80, fmax=wave.sample_rate / 2)
    image = log_mel(torch.from_numpy(wave.samples.copy())[None], mel)[0].numpy()
    figure = Figure(figsize=(6, 2.2), layout="constrained")
    axes = figure.add_subplot()
    extent = (0.0, wave.seconds, 0.0, float(len(image)))
    axes.imshow(image, origin="lower", aspect="auto", extent=extent, cmap="magma")
    axes.set(xlabel="seconds", ylabel="mel band")
    return as_pixels(figure)


def compare_tab(seed: int) -> None:
    """Build the tab inside a Gradio page.

    Args:
        seed: Seed that the tab begins with.
    """
    import gradio as gr

    with gr.Row():
        with gr.Column():
            what = gr.Radio([MUSIC, VOICE], value=MUSIC, label="What is sampled", elem_id="what")
            text = gr.Textbox(TEXT, label="Text", lines=2, max_length=MAX_CHARACTERS, visible=False)
            names = voice_names()
            voice = gr.Dropdown(names, value=names[0], label="Voice", visible=False)
            tags = gr.Dropdown(
                composer_tags(),
                value=["piano", "major", "moderate"],
                multiselect=True,
                label="Tags",
                info="what the music is like",
            )
            with gr.Row():
                steps = gr.Slider(*STEPS, 16.0, step=1.0, label="Steps", info="to compare")
                noise = gr.Number(seed, precision=0, label="Seed", info="of the noise")
            button = gr.Button("Compare", variant="primary", elem_id="compare-button")
        with gr.Column():
            about = gr.Markdown(ABOUT[MUSIC], elem_id="about")
            table = gr.Dataframe(
                headers=HEADER,
                interactive=False,
                label="What it costs",
                buttons=[],
                row_count=2,
                elem_id="costs",
                wrap=True,
                column_widths=["37%", "21%", "21%", "21%"],
            )
            gr.Markdown(
                f"Medians of {TIMED} times on this machine, after a first one. *ms in all* is from "
                "the input to the sound, with text, vocoder and all."
            )
    sides: list[Any] = []
    with gr.Row():
        for label, name in (("Several steps", "several"), ("One step", "one")):
            with gr.Column():
                sound = player(label, name)
                sides += [sound, picture(f"{label}: spectrogram", f"{name}-picture")]

    def on_choose(what: str) -> tuple[Any, ...]:
        spoken = what == VOICE
        return (ABOUT[what], *(gr.update(visible=v) for v in (spoken, spoken, not spoken)))

    def on_compare(
        what: str, text: str, voice: str, tags: list[str], steps: float, seed: float | None
    ) -> tuple[Any, ...]:
        with clear_errors("speech" if what == VOICE else "music"):
            number, n = seed_of(seed), int(steps)
            if what == VOICE:
                pair = compare_voice(text, voice, n, number)
            else:
                pair = compare_composer(tags, n, number)
            shown = [f(side.wave) for side in pair for f in (as_sound, spectrogram)]
        return (*shown, [side.row for side in pair])

    what.change(on_choose, what, [about, text, voice, tags])
    button.click(
        on_compare,
        [what, text, voice, tags, steps, noise],
        [*sides, table],
        show_progress_on=[sides[0], sides[2]],
        concurrency_id=MODEL,
        concurrency_limit=1,
    ).failure(nothing(5), None, [*sides, table])
