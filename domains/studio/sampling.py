"""Sampling of one piece in several steps and in one, and the time of its network calls."""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from oneleap.domains.studio.handling import check_range
from oneleap.domains.studio.models import load_composer, load_voice
from oneleap.domains.studio.speak import check_text

if TYPE_CHECKING:
    from torch import nn

    from oneleap.domains.audio.wave import Wave

STEPS = (2.0, 32.0)
"""Range of the number of steps to compare with one."""

TIMED = 3
"""Number of times that each sampling is timed, after a first that is not."""

MUSIC_S = 6.0
"""Seconds of the music that is sampled."""


@dataclass(frozen=True, eq=False)
class Sampled:
    """A result, and what it cost.

    Attributes:
        label: What sampled it.
        wave: Its sound.
        calls: Calls of the sampled network.
        call_ms: Median time of all these calls together, in milliseconds.
        total_ms: Median time from the input to the sound, in milliseconds.
    """

    label: str
    wave: "Wave"
    calls: int
    call_ms: float
    total_ms: float

    @property
    def row(self) -> list[str]:
        """The row of the table."""
        return [self.label, str(self.calls), f"{self.call_ms:.0f}", f"{self.total_ms:.0f}"]


@contextmanager
def timed_calls(network: "nn.Module") -> Iterator[list[float]]:
    """Collect the milliseconds of each call of a network in a list."""
    begun, found = list[float](), list[float]()

    def before(*_: object) -> None:
        begun.append(time.perf_counter())

    def after(*_: object) -> None:
        found.append(1e3 * (time.perf_counter() - begun.pop()))

    hooks = [network.register_forward_pre_hook(before), network.register_forward_hook(after)]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def measure(label: str, network: "nn.Module", make: "Callable[[], Wave]") -> Sampled:
    """Make a sound several times, and measure it.

    Args:
        label: What samples it.
        network: The network that is sampled.
        make: Makes the sound.

    Returns:
        The sound and its cost.
    """
    make()
    calls, call_ms, total_ms = 0, list[float](), list[float]()
    for _ in range(TIMED):
        with timed_calls(network) as each:
            start = time.perf_counter()
            wave = make()
            total_ms.append(1e3 * (time.perf_counter() - start))
        calls = len(each)
        call_ms.append(sum(each))
    return Sampled(label, wave, calls, statistics.median(call_ms), statistics.median(total_ms))


def compare_voice(text: str, voice: str, steps: int, seed: int) -> tuple[Sampled, Sampled]:
    """Speak a text in several steps and in one, with the same weights, noise and durations.

    Args:
        text: The text.
        voice: Name of a shipped voice.
        steps: Number of steps, in :data:`STEPS`.
        seed: Seed of the noise.

    Returns:
        The speech of several steps, and that of one.

    Raises:
        InputError: If the text cannot be spoken, or ``steps`` is out of range.
    """
    check_text(text)
    check_range("steps", steps, *STEPS)
    loaded = load_voice(voice)
    network = loaded.acoustic.average.get_submodule("decoder")

    def sampled(n: int, label: str) -> Sampled:
        return measure(label, network, lambda: loaded.speak(text, steps=n, seed=seed))

    return sampled(steps, f"{voice}, {steps} steps"), sampled(1, f"{voice}, 1 step")


def compare_composer(tags: Sequence[str], steps: int, seed: int) -> tuple[Sampled, Sampled]:
    """Sample music by the teacher in several Euler steps, and by its student in one.

    Args:
        tags: Tags that both are conditioned on.
        steps: Number of steps of the teacher, in :data:`STEPS`.
        seed: Seed of the noise, which both get.

    Returns:
        The music of the teacher, and that of the student.

    Raises:
        InputError: If there is no such tag, or ``steps`` is out of range.
    """
    check_range("steps", steps, *STEPS)
    import torch

    from oneleap.core.sampling.ode import euler
    from oneleap.core.training.seed import step_generator
    from oneleap.domains.audio.wave import Wave

    composer = load_composer()
    noise = composer.noise(1, MUSIC_S, step_generator(seed, 0))

    @torch.inference_mode()
    def taught() -> Wave:
        mel = composer.denormalize(euler(composer.field(tags), noise, steps=steps))
        return Wave(composer.vocode(mel)[0].numpy(), composer.spec.mel.sample_rate)

    @torch.inference_mode()
    def leapt() -> Wave:
        mel = composer.decode(noise, 1, tags)
        return Wave(composer.vocode(mel)[0].numpy(), composer.spec.mel.sample_rate)

    student = composer.student
    assert student is not None  # the shipped composer has one
    return (
        measure(f"teacher, {steps} steps", composer.base.average, taught),
        measure("student, 1 step", student.average, leapt),
    )
