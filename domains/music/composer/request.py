"""What a person asks of a piece, and the controls that it becomes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from oneleap.core.errors import InputError, nearest
from oneleap.domains.audio.mel import Mel
from oneleap.domains.music.controls.base import Control, Intensity, Melody, Weighted
from oneleap.domains.music.controls.clap import load_clap
from oneleap.domains.music.controls.melody import melody_target
from oneleap.domains.music.controls.musicnn import Tagger
from oneleap.domains.music.controls.tagging import Hear, Tags
from oneleap.domains.music.controls.targets import (
    LOUD_DB,
    QUIET_DB,
    intensity_target,
    read_clip,
    read_pattern,
    spectrogram_of,
)
from oneleap.domains.music.controls.timbre import Structure, Timbre, timbre_of
from oneleap.domains.music.features.chroma import SILENT

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


@dataclass(frozen=True)
class Wishes:
    """What is asked for.

    Attributes:
        seconds: Of the result; 6 if nothing else says how long.
        intensity: A preset's name, or a CSV file.
        quiet_db: Level of the presets' quiet, dB below full scale.
        loud_db: Level of their loud.
        melody: A MIDI file, or a recording of humming.
        structure: A letter for each section.
        timbre: A recording whose colour is wanted.
        inpaint: A recording with a gap to fill.
        gap: Seconds at which the gap begins and ends.
        outpaint: A recording to go on from.
        loop: The end leads to the beginning.
        hear: Tags that musicnn is to hear.
        tagger: File of musicnn's weights.
        words: What it is to be like, for CLAP to hear.
        clap: Folder or hub name of a CLAP.
        weights: Of the controls, by name; 1 where none is given.
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
    hear: tuple[str, ...] = ()
    tagger: Path | None = None
    words: str | None = None
    clap: str | None = None
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be had together.

        Raises:
            InputError: Naming both.
        """
        if (self.inpaint is None) != (self.gap is None):
            raise InputError("inpaint: a recording and its gap: --inpaint IN.wav --from 2 --to 4")
        several = [name for name in ("inpaint", "outpaint", "loop") if getattr(self, name)]
        if len(several) > 1:
            raise InputError(f"{several[0]} and {several[1]}: one at a time")
        if self.seconds is not None and not 0.5 <= self.seconds <= 3600:
            raise InputError(f"seconds: from 0.5 to 3600, not {self.seconds:g}")
        if self.inpaint is not None and self.seconds is not None:
            raise InputError("seconds: a recording with a gap keeps its length: leave it out")
        if bool(self.hear) != (self.tagger is not None):
            raise InputError(
                "hear: tags, and musicnn's weights, which are no part of oneleap: "
                "--hear piano --tagger FILE"
            )
        if (self.words is None) != (self.clap is None):
            raise InputError("words: a CLAP hears them, which is no part of oneleap: name a --clap")
        if not -math.inf < self.quiet_db < self.loud_db < math.inf:
            raise InputError(f"quiet_db is below loud_db: not {self.quiet_db:g}, {self.loud_db:g}")
        for name in self.weights:
            if name not in NAMES:
                raise InputError(
                    f"weight: no control '{name}'{nearest(name, NAMES)} ({', '.join(NAMES)})"
                )
            if name not in self.asked:
                raise InputError(f"weight: {name} is not asked for")

    @property
    def asked(self) -> tuple[str, ...]:
        """Names of the controls that are wanted; a long piece goes on from itself."""
        given = {"tags": self.hear, "clap": self.words, "outpaint": True}
        return tuple(name for name in NAMES if given.get(name, getattr(self, name, None)))

    def weighted(self, control: Control) -> Weighted:
        """A control with the weight that is asked for."""
        return Weighted(control, self.weights.get(control.name, 1.0))


def listeners(wishes: Wishes, hear: Hear, sample_rate: int, device: torch.device) -> list[Control]:
    """The controls that hear the sound itself, on a device.

    Raises:
        InputError: If musicnn or CLAP cannot be loaded.
    """
    found = list[Control]()
    if wishes.hear and wishes.tagger is not None:
        found.append(Tags(Tagger.load(wishes.tagger).to(device), hear, sample_rate, wishes.hear))
    if wishes.words is not None and wishes.clap is not None:
        found.append(load_clap(wishes.clap, wishes.words, hear, sample_rate, device))
    return found


def read_controls(wishes: Wishes, spec: Mel, frames: int, most: int) -> list[Weighted]:
    """The controls of a piece of so many frames that files and words describe.

    Args:
        wishes: What is asked for.
        spec: The contract.
        frames: Of the piece.
        most: Frames that are made at once; a longer piece has no structure as a whole.

    Raises:
        InputError: If a file cannot be read, or does not fit the piece.
    """
    found, seconds = list[Control](), frames / spec.frame_rate
    if wishes.intensity is not None:
        levels = {"low": wishes.quiet_db, "high": wishes.loud_db}
        curve = intensity_target(wishes.intensity, spec, frames, seconds, **levels)
        found.append(Intensity(spec, curve))
    if wishes.melody is not None:
        found.append(Melody(spec, melody_target(wishes.melody, spec, frames, seconds)))
    if wishes.structure is not None:
        if frames > most:
            longest = most / spec.frame_rate
            raise InputError(f"structure: of pieces up to {longest:.1f} s, not {seconds:.1f} s")
        found.append(Structure(spec, read_pattern(wishes.structure)))
    if wishes.timbre is not None:
        given = read_clip(wishes.timbre, spec, "timbre")
        found.append(Timbre(spec, timbre_of(spectrogram_of(given, spec), spec)))
    return [wishes.weighted(control) for control in found]


def window(asked: Sequence[Weighted], first: int, last: int) -> list[Weighted]:
    """The same controls for some frames of a piece; curves go on as they end, melodies do not."""
    found = list[Weighted]()
    for control, weight in asked:
        if isinstance(control, Intensity):
            index = torch.arange(first, last).clamp(max=len(control.target) - 1)
            found.append(Weighted(Intensity(control.spec, control.target[index]), weight))
        elif isinstance(control, Melody):
            rest = max(0, last - len(control.target))
            target = torch.nn.functional.pad(control.target, (0, rest), value=SILENT)
            if (target[first:last] != SILENT).any():
                found.append(Weighted(Melody(control.spec, target[first:last]), weight))
        else:
            found.append(Weighted(control, weight))
    return found
