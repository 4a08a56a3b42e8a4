"""A piece of music out of what a person asks for."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import Wave
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.optimise import Progress
from oneleap.domains.music.composer.outpainting import Seams, grow, measure_seams
from oneleap.domains.music.composer.request import Wishes, listeners, read_controls, window
from oneleap.domains.music.composer.splicing import patched, spliced, wrapped
from oneleap.domains.music.composer.steering import Settings, Steered, steer, unsteered, warm_noise
from oneleap.domains.music.controls.base import Control, Weighted
from oneleap.domains.music.controls.edits import Inpaint, Loop, closed
from oneleap.domains.music.controls.targets import read_clip, refuse_silence, spectrogram_of

SECONDS = 6.0
OVERLAP_S = 1.0
"""Shared by neighbouring clips of a long piece, and by both ends of a loop."""

STRETCH = 1.5
"""A piece up to so many times the clips of training is made at once."""


@dataclass(frozen=True, eq=False)
class Piece:
    """A finished piece.

    Attributes:
        wave: Its sound.
        mel: Its spectrogram.
        controls: What it was made under; of a long piece, its first clip.
        clip: The spectrogram these controls are about.
        parts: What came of each clip.
        seams: How the seams of a long piece are, if there are any.
    """

    wave: Wave
    mel: Float[Tensor, "1 mels n"]
    controls: tuple[Control, ...]
    clip: Float[Tensor, "1 mels m"]
    parts: tuple[Steered, ...]
    seams: Seams | None = None


class Session:
    """One piece in the making.

    Args:
        composer: Who composes.
        wishes: What is asked for.
        settings: How it is looked for.
        tags: Conditions of the composer.
        seed: Of all noise.
        progress: Of each search.
    """

    def __init__(
        self,
        composer: Composer,
        wishes: Wishes,
        settings: Settings = Settings(),  # noqa: B008  (frozen)
        *,
        tags: Sequence[str] = (),
        seed: int = 0,
        progress: Progress | None = None,
    ) -> None:
        self.composer, self.wishes, self.settings = composer, wishes, settings
        self.tags, self.progress = tuple(tags), progress
        self.mel = composer.spec.mel
        self.generator = step_generator(seed, 0)
        composer.condition(tags)  # refuses unknown ones before anything is read
        self.clip = composer.frames(composer.spec.frames / self.mel.frame_rate)
        self.overlap = min(round(OVERLAP_S * self.mel.frame_rate), self.clip // 4)
        if (wishes.hear or wishes.words) and not isinstance(composer.vocoder, Vocos):
            raise InputError("hear, words: no gradient comes through Griffin-Lim: train a vocoder")
        self.listeners = listeners(wishes, composer.vocode, self.mel.sample_rate, composer.device)

    def make(self) -> Piece:
        """The piece.

        Raises:
            InputError: If a wish cannot be met; before anything is computed.
        """
        wishes = self.wishes
        if wishes.inpaint is not None:
            return self._inpaint(wishes.inpaint, wishes.gap or (0.0, 0.0))
        if wishes.outpaint is not None:
            return self._outpaint(wishes.outpaint)
        seconds = SECONDS if wishes.seconds is None else wishes.seconds
        frames = round(seconds * self.mel.frame_rate)
        if wishes.loop:
            return self._loop(frames)
        if frames > STRETCH * self.clip:
            return self._long(frames)
        asked = self.asked(frames)
        noise = self._noise(frames)
        made = self._steer(window(asked, 0, noise.shape[2]), noise)
        return self._finish(made.mel[..., :frames], asked, (made,))

    # Wishes

    def asked(self, frames: int) -> list[Weighted]:
        """The controls of a piece of so many frames."""
        read = read_controls(self.wishes, self.mel, frames, round(STRETCH * self.clip))
        return [*read, *map(self.wishes.weighted, self.listeners)]

    # Kinds of pieces

    def _noise(self, frames: int) -> Tensor:
        return self.composer.noise(1, frames / self.mel.frame_rate, self.generator)

    def _steer(self, asked: Sequence[Weighted], noise: Tensor) -> Steered:
        if asked:
            return steer(
                self.composer,
                asked,
                noise,
                self.settings,
                tags=self.tags,
                generator=self.generator,
                progress=self.progress,
            )
        return unsteered(self.composer, noise, self.settings, self.tags)

    def _finish(
        self,
        mel: Tensor,
        asked: Sequence[Weighted],
        parts: Sequence[Steered],
        clip: Tensor | None = None,
        samples: NDArray[np.float32] | None = None,
        seams: Seams | None = None,
    ) -> Piece:
        wave = Wave(self._heard(mel) if samples is None else samples, self.mel.sample_rate)
        controls = tuple(control for control, _ in asked)
        return Piece(wave, mel, controls, mel if clip is None else clip, tuple(parts), seams)

    @torch.no_grad()
    def _heard(self, mel: Tensor) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self.composer.vocode(mel)[0].cpu().numpy()
        return found

    def _loop(self, frames: int) -> Piece:
        overlap = min(self.overlap, frames // 2)
        noise = self._noise(frames + overlap)
        n = noise.shape[2]
        loop = self.wishes.weighted(Loop(overlap, n - frames - overlap))
        asked = self.asked(frames)
        made = self._steer([*window(asked, 0, n), loop], noise)
        whole = made.mel[..., : frames + overlap]
        mel = closed(whole, overlap)
        samples = wrapped(self.composer.vocode, mel, self.mel)
        shown = [*window(asked, 0, frames + overlap), self.wishes.weighted(Loop(overlap))]
        return self._finish(mel, shown, (made,), whole, samples)

    def _long(self, frames: int) -> Piece:
        asked = self.asked(frames)
        first = window(asked, 0, self.clip)
        made = self._steer(first, self._noise(self.clip))
        return self._grown(made.mel, frames, asked, (made,))

    def _grown(
        self,
        mel: Tensor,
        frames: int,
        asked: Sequence[Weighted],
        parts: Sequence[Steered],
        given: Wave | None = None,
    ) -> Piece:
        grown = grow(
            self.composer,
            mel,
            frames,
            clip=self.clip,
            overlap=min(self.overlap, mel.shape[2]),
            asked=lambda first, last: window(asked, first, last),
            settings=self.settings,
            tags=self.tags,
            generator=self.generator,
            progress=self.progress,
        )
        samples = None
        if given is not None:
            samples = spliced(given.samples, self._heard(grown.mel), self.overlap * self.mel.hop)
        seams = measure_seams(grown.mel, grown.seams, self.mel)
        return self._finish(grown.mel, asked, (*parts, *grown.parts), samples=samples, seams=seams)

    def _outpaint(self, path: Path) -> Piece:
        given = read_clip(path, self.mel, "outpaint")
        seconds = self.wishes.seconds
        if seconds is None:
            seconds = given.seconds + SECONDS
        if seconds < given.seconds + 0.5:
            raise InputError(
                f"outpaint: {path} lasts {given.seconds:.1f} s already: --seconds is the length of "
                f"the whole, {given.seconds + SECONDS:.0f} for instance"
            )
        tail = self.overlap * self.mel.hop
        refuse_silence(given.samples[-tail:], f"outpaint: the end of {path}")
        frames = round(seconds * self.mel.frame_rate)
        mel = spectrogram_of(given, self.mel).to(self.composer.device)
        return self._grown(mel, frames, self.asked(frames), (), given)

    def _inpaint(self, path: Path, gap: tuple[float, float]) -> Piece:
        given, (begin, end) = read_clip(path, self.mel, "inpaint"), gap
        if not 0 <= begin < end <= given.seconds + 0.05:
            raise InputError(
                f"inpaint: a gap from {begin:g} to {end:g} s in {path}, which lasts "
                f"{given.seconds:.1f} s"
            )
        rate, hop = self.mel.frame_rate, self.mel.hop
        width = min(round(STRETCH * self.clip), round(given.seconds * rate))
        low, high = round(begin * rate), round(end * rate)
        if high - low > 0.8 * width:
            raise InputError(
                f"inpaint: a gap of {end - begin:g} s: up to {0.8 * width / rate:.1f} s of this "
                "recording can be filled"
            )
        first = min(max(0, (low + high - width) // 2), round(given.seconds * rate) - width)
        samples = given.samples[first * hop : (first + width) * hop]
        n = self._noise(width).shape[2]
        padded = np.pad(samples, (0, n * hop - len(samples)))
        refuse_silence(samples, f"inpaint: what is around the gap of {path}")
        mel = spectrogram_of(Wave(padded, self.mel.sample_rate), self.mel)[..., :n]
        mel = mel.to(self.composer.device)
        frame = torch.arange(n) + first
        kept = ((frame < low) | (frame >= high)) & (frame < first + width)
        wanted = window(self.asked(round(given.seconds * rate)), first, first + n)
        asked = [self.wishes.weighted(Inpaint(mel[0], kept)), *wanted]
        start = warm_noise(self.composer, mel, kept, self._noise(width), tags=self.tags)
        made = self._steer(asked, start)
        patch = self._heard(made.mel)[: len(samples)]
        whole = patched(given.samples, patch, first * hop, (low * hop, high * hop), rate=hop * 4)
        return self._finish(made.mel, asked, (made,), samples=whole)
