"""The tab Speak: a text, how it is read, and its sound."""

import time
from typing import TYPE_CHECKING

from oneleap.core.errors import InputError
from oneleap.domains.studio.components import player
from oneleap.domains.studio.handling import (
    MODEL,
    Sound,
    as_sound,
    check_range,
    clear_errors,
    nothing,
    seed_of,
)
from oneleap.domains.studio.models import load_voice, voice_names

if TYPE_CHECKING:
    from oneleap.domains.audio.wave import Wave

MAX_CHARACTERS = 600
"""Largest length of a text."""

MAX_SILENCE_S = 30.0
"""Longest silence in seconds that SSML can ask for, all pauses together."""

SPEED, PITCH = (0.5, 2.0), (-12.0, 12.0)
"""Ranges of the factor of the tempo, and of the change of pitch in semitones."""

SYMBOLS = "IPA, and capital letters: A as in day, I my, O go (Q in Britain), W now, Y boy, T water"
"""What the phonemes are written in."""

TEXT = "One call of a network turns noise into this sentence. Dr. Smith paid $3.50 on May 3rd."
"""Text that the tab begins with."""


def check_text(text: str) -> str:
    """Return a text that is short enough.

    Raises:
        InputError: If it is empty or too long.
    """
    if not text.strip():
        raise InputError("text: write a text first")
    if len(text) > MAX_CHARACTERS:
        raise InputError(
            f"text: has {len(text)} characters; the studio takes up to {MAX_CHARACTERS}: "
            "oneleap speak takes texts of any length"
        )
    return text


def read_text(text: str, voice: str) -> tuple[str, str]:
    """Return a text in words, and its phonemes. No model is loaded.

    Args:
        text: Plain text, or SSML.
        voice: Name of a shipped voice.

    Raises:
        InputError: If the text is too long, or there is no word to say.
    """
    from oneleap.domains.speech.text.voices import load_front_end, show_text

    return show_text(load_front_end(voice), check_text(text))


def speak(text: str, voice: str, speed: float, pitch: float, seed: int) -> "Wave":
    """Speak a text at the loudness of ``oneleap speak``.

    Args:
        text: Plain text, or SSML.
        voice: Name of a shipped voice.
        speed: Factor of the tempo, in :data:`SPEED`.
        pitch: Change of pitch in semitones, in :data:`PITCH`.
        seed: Seed of the noise.

    Returns:
        The sound.

    Raises:
        InputError: If the text cannot be spoken, or an argument is out of range.
    """
    check_text(text)
    check_range("speed", speed, *SPEED)
    check_range("pitch", pitch, *PITCH)
    from oneleap.domains.audio.loudness import level
    from oneleap.domains.speech.voice.script import script_lines

    loaded = load_voice(voice)
    lines = script_lines(loaded.front_end(), text)
    silence = sum(line.before_s + line.after_s for line in lines)
    if silence > MAX_SILENCE_S:
        raise InputError(
            f"text: its pauses last {silence:g} s; the studio allows {MAX_SILENCE_S:g} s in all"
        )
    return level(loaded.speak(text, speed=speed, pitch=pitch, seed=seed))


def speak_tab(seed: int) -> None:
    """Build the tab inside a Gradio page.

    Args:
        seed: Seed that the tab begins with.
    """
    import gradio as gr

    gr.Markdown(
        "The text is first written out in words, then as phonemes. One network call makes a "
        "spectrogram of the phonemes, and one call of the vocoder makes the sound."
    )
    with gr.Row():
        with gr.Column():
            text = gr.Textbox(
                TEXT, label="Text", lines=4, max_length=MAX_CHARACTERS, elem_id="speak-text"
            )
            names = voice_names()
            voice = gr.Dropdown(names, value=names[0], label="Voice")
            with gr.Row():
                speed = gr.Slider(*SPEED, 1.0, step=0.05, label="Speed", info="as a factor")
                pitch = gr.Slider(*PITCH, 0.0, step=0.5, label="Pitch", info="in semitones")
            noise = gr.Number(seed, precision=0, label="Seed of the noise", elem_id="speak-seed")
            button = gr.Button("Speak", variant="primary", elem_id="speak-button")
        with gr.Column():
            words = gr.Textbox(label="Text in words", lines=3, interactive=False, elem_id="words")
            phonemes = gr.Textbox(
                label="Phonemes", info=SYMBOLS, lines=3, interactive=False, elem_id="phonemes"
            )
            sound = player("Speech", "speech")
            cost = gr.Markdown(elem_id="speech-cost")

    def on_read(text: str, voice: str) -> tuple[str, str]:
        with clear_errors("speech"):
            return read_text(text, voice)

    def on_speak(
        text: str, voice: str, speed: float, pitch: float, seed: float | None
    ) -> tuple[Sound, str]:
        with clear_errors("speech"):
            number = seed_of(seed)
            load_voice(voice)
            start = time.perf_counter()
            wave = speak(text, voice, speed, pitch, number)
            took = time.perf_counter() - start
        return as_sound(wave), f"{wave.seconds:.1f} s of speech in {took:.2f} s"

    read = button.click(on_read, [text, voice], [words, phonemes], show_progress="minimal")
    spoken = read.success(
        on_speak,
        [text, voice, speed, pitch, noise],
        [sound, cost],
        show_progress_on=sound,
        concurrency_id=MODEL,
        concurrency_limit=1,
    )
    read.failure(nothing(4), None, [words, phonemes, sound, cost])
    spoken.failure(nothing(2), None, [sound, cost])
