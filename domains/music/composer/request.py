"""A request for a piece of music, and the controls that it consists of."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from oneleap.core.errors import InputError, suggest
from oneleap.domains.audio.mel import Mel
from oneleap.domains.music.controls.base import Control, Intensity, Melody, WeightedControl
from oneleap.domains.music.controls.clap import load_clap
from oneleap.domains.music.controls.melody import melody_target
from oneleap.domains.music.controls.musicnn import Tagger
from oneleap.domains.music.controls.presets import LOUD_DB, QUIET_DB
from oneleap.domains.music.controls.tagging import TargetTags, Vocode
from oneleap.domains.music.controls.targets import (
    intensity_target,
    parse_structure,
    read_clip,
    wave_to_mel,
)
from oneleap.domains.music.controls.timbre import Structure, Timbre, mean_cepstrum
from oneleap.domains.music.features.chroma import NO_MELODY

NAMES = (
    "intensity",
    "melody",
    "structure",
    "timbre",
    "tags",
    "clap",
    "inpaint",
    "outpaint",
    "loop",
)
"""Names of all controls that a request can have."""


@dataclass(frozen=True)
class CompositionRequest:
    """A request for a piece of music.

    Attributes:
        seconds: Duration of the result; the default is 6 s, if no recording determines it.
        intensity: Curve of loudness: the name of a preset, or a CSV file.
        quiet_db: Lowest level of the presets in dB relative to full scale.
        loud_db: Highest level of the presets in dB relative to full scale.
        melody: Melody to follow: a MIDI file, or a recording of a person who hums.
        structure: One letter per section, such as ``ABA``.
        timbre: Recording whose timbre the piece is to have.
        inpaint: Recording with a gap to fill.
        gap: Start and end of the gap in seconds.
        outpaint: Recording to continue.
        loop: Whether the end leads into the start.
        target_tags: Tags that musicnn is to recognize.
        tagger: File of musicnn's weights.
        prompt: Text that describes the piece, for CLAP.
        clap: Folder or hub name of a CLAP model.
        weights: Weights of the controls, by name; the default is 1.

    Raises:
        InputError: If a value is out of range, or values cannot be combined.
    """

    seconds: float | None = None
    intensity: str | None = None
    quiet_db: float = QUIET_DB
    loud_db: float = LOUD_DB
    melody: Path | None = None
    structure: str | None = None
    timbre: Path | None = None
    inpaint: Path | None = None
    gap: tuple[float, float] | None = None
    outpaint: Path | None = None
    loop: bool = False
    target_tags: tuple[str, ...] = ()
    tagger: Path | None = None
    prompt: str | None = None
    clap: str | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Check the values and their combination."""
        if (self.inpaint is None) != (self.gap is None):
            raise InputError(
                "inpaint: give a recording and its gap: --inpaint IN.wav --from 2 --to 4"
            )
        several = [name for name in ("inpaint", "outpaint", "loop") if getattr(self, name)]
        if len(several) > 1:
            raise InputError(f"{several[0]} and {several[1]} cannot be combined")
        if self.seconds is not None and not 0.5 <= self.seconds <= 3600:
            raise InputError(f"seconds: must be from 0.5 to 3600, not {self.seconds:g}")
        if self.inpaint is not None and self.seconds is not None:
            raise InputError("seconds: inpainting does not change the duration: leave it out")
        if bool(self.target_tags) != (self.tagger is not None):
            raise InputError(
                "target_tags: give tags and the weights of musicnn, which is not part of oneleap: "
                "--target_tags piano --tagger FILE"
            )
        if (self.prompt is None) != (self.clap is None):
            raise InputError(
                "prompt: give a text and a CLAP model, which is not part of oneleap: "
                "--prompt 'calm piano' --clap MODEL"
            )
        if not -math.inf < self.quiet_db < self.loud_db < math.inf:
            raise InputError(
                f"quiet_db must be below loud_db, not {self.quiet_db:g} and {self.loud_db:g}"
            )
        for name in self.weights:
            if name not in NAMES:
                raise InputError(
                    f"weight: no control '{name}'{suggest(name, NAMES)} ({', '.join(NAMES)})"
                )
            if name not in self.controls:
                raise InputError(f"weight: the control {name} is not used")

    @property
    def controls(self) -> tuple[str, ...]:
        """Names of the controls that are used. Outpaint is always one: a long piece needs it."""
        given = {"tags": self.target_tags, "clap": self.prompt, "outpaint": True}
        return tuple(name for name in NAMES if given.get(name, getattr(self, name, None)))

    def with_weight(self, control: Control) -> WeightedControl:
        """Return a control with its weight."""
        return WeightedControl(control, self.weights.get(control.name, 1.0))


def load_audio_controls(
    request: CompositionRequest, vocode: Vocode, sample_rate: int, device: torch.device
) -> list[Control]:
    """Load the controls that analyze the audio: target tags and a prompt.

    Args:
        request: The request.
        vocode: Vocoder.
        sample_rate: Sample rate of the vocoder in Hz.
        device: Device of the networks.

    Returns:
        The controls that the request has, in this order.

    Raises:
        InputError: If musicnn or CLAP cannot be loaded.
    """
    found = list[Control]()
    if request.target_tags and request.tagger is not None:
        tagger = Tagger.load(request.tagger).to(device)
        found.append(TargetTags(tagger, vocode, sample_rate, request.target_tags))
    if request.prompt is not None and request.clap is not None:
        found.append(load_clap(request.clap, request.prompt, vocode, sample_rate, device))
    return found


def read_controls(
    request: CompositionRequest, spec: Mel, frames: int, max_frames: int
) -> list[WeightedControl]:
    """Read the controls of a piece that are given by names and files.

    Args:
        request: The request.
        spec: Mel format.
        frames: Number of frames of the piece.
        max_frames: Maximum number of frames that are generated at once. A longer piece cannot
            have a structure.

    Returns:
        The controls that the request has, with their weights.

    Raises:
        InputError: If a file cannot be read or does not fit the piece.
    """
    found, seconds = list[Control](), frames / spec.frame_rate
    if request.intensity is not None:
        levels = {"low": request.quiet_db, "high": request.loud_db}
        curve = intensity_target(request.intensity, spec, frames, seconds, **levels)
        found.append(Intensity(spec, curve))
    if request.melody is not None:
        found.append(Melody(spec, melody_target(request.melody, spec, frames, seconds)))
    if request.structure is not None:
        if frames > max_frames:
            limit = max_frames / spec.frame_rate
            raise InputError(
                f"structure: pieces can last up to {limit:.1f} s with it, not {seconds:.1f} s"
            )
        found.append(Structure(spec, parse_structure(request.structure)))
    if request.timbre is not None:
        given = read_clip(request.timbre, spec, "timbre")
        found.append(Timbre(spec, mean_cepstrum(wave_to_mel(given, spec), spec)))
    return [request.with_weight(control) for control in found]


def crop_controls(
    controls: Sequence[WeightedControl], first: int, last: int
) -> list[WeightedControl]:
    """Return the controls of a range of frames of a piece.

    After the end of the piece, a curve keeps its last value, and there is no melody. A melody
    control without notes in the range is left out.

    Args:
        controls: Controls of the piece.
        first: First frame.
        last: The frame after the last.
    """
    found = list[WeightedControl]()
    for control, weight in controls:
        if isinstance(control, Intensity):
            index = torch.arange(first, last).clamp(max=len(control.target) - 1)
            found.append(WeightedControl(Intensity(control.spec, control.target[index]), weight))
        elif isinstance(control, Melody):
            rest = max(0, last - len(control.target))
            target = torch.nn.functional.pad(control.target, (0, rest), value=NO_MELODY)
            if (target[first:last] != NO_MELODY).any():
                found.append(WeightedControl(Melody(control.spec, target[first:last]), weight))
        else:
            found.append(WeightedControl(control, weight))
    return found
