"""Composition of a piece of music from a request."""

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
from oneleap.domains.music.composer.generation import (
    GeneratedClip,
    GenerationSettings,
    optimize_latent,
    sample,
    warm_start_noise,
)
from oneleap.domains.music.composer.optimize import ProgressCallback
from oneleap.domains.music.composer.outpainting import SeamReport, measure_seams, outpaint
from oneleap.domains.music.composer.request import (
    CompositionRequest,
    crop_controls,
    load_audio_controls,
    read_controls,
)
from oneleap.domains.music.composer.splicing import patch_gap, splice, vocode_loop
from oneleap.domains.music.controls.base import Control, WeightedControl
from oneleap.domains.music.controls.edits import Inpaint, Loop, close_loop
from oneleap.domains.music.controls.targets import check_not_silent, read_clip, wave_to_mel

SECONDS = 6.0
"""Default duration of a piece in seconds."""

OVERLAP_S = 1.0
"""Overlap in seconds of consecutive clips of a long piece, and of both ends of a loop."""

MAX_STRETCH = 1.5
"""A piece is generated at once if it is at most this many times as long as a training clip."""


@dataclass(frozen=True, eq=False)
class Composition:
    """A finished piece of music.

    Attributes:
        wave: Sound.
        mel: Spectrogram.
        controls: Controls of the clip in ``clip_mel``.
        clip_mel: Spectrogram that the controls refer to: the piece before its loop is closed, or
            the part around a gap, or else the whole piece.
        clips: All clips that were generated.
        seams: Measure of the seams, if the piece consists of several clips.
    """

    wave: Wave
    mel: Float[Tensor, "1 mels n"]
    controls: tuple[Control, ...]
    clip_mel: Float[Tensor, "1 mels m"]
    clips: tuple[GeneratedClip, ...]
    seams: SeamReport | None = None


class Session:
    """Composes one piece.

    Args:
        composer: The composer.
        request: The request.
        settings: Settings of the generation of clips.
        tags: Tags that the composer is conditioned on.
        seed: Seed of all noise.
        progress: Called after each step of an optimization.

    Raises:
        InputError: If there is no such tag, or a control needs another vocoder or a missing model.
    """

    def __init__(
        self,
        composer: Composer,
        request: CompositionRequest,
        settings: GenerationSettings = GenerationSettings(),  # noqa: B008  (frozen)
        *,
        tags: Sequence[str] = (),
        seed: int = 0,
        progress: ProgressCallback | None = None,
    ) -> None:
        self.composer, self.request, self.settings = composer, request, settings
        self.tags, self.progress = tuple(tags), progress
        self.mel = composer.spec.mel
        self.generator = step_generator(seed, 0)
        composer.condition(tags)  # refuses unknown tags before any file is read
        self.clip = composer.frames(composer.spec.frames / self.mel.frame_rate)
        self.overlap = min(round(OVERLAP_S * self.mel.frame_rate), self.clip // 4)
        needs_gradient = bool(request.target_tags) or request.prompt is not None
        if needs_gradient and not isinstance(composer.vocoder, Vocos):
            raise InputError(
                "target_tags, prompt: Griffin-Lim has no gradients: train a vocoder, and pack it "
                "with the composer"
            )
        self.audio_controls = load_audio_controls(
            request, composer.vocode, self.mel.sample_rate, composer.device
        )

    def compose(self) -> Composition:
        """Compose the piece.

        Raises:
            InputError: If the request cannot be fulfilled. Nothing is computed before.
        """
        request = self.request
        if request.inpaint is not None:
            return self._inpaint(request.inpaint, request.gap or (0.0, 0.0))
        if request.outpaint is not None:
            return self._outpaint(request.outpaint)
        seconds = SECONDS if request.seconds is None else request.seconds
        frames = round(seconds * self.mel.frame_rate)
        if request.loop:
            return self._loop(frames)
        if frames > MAX_STRETCH * self.clip:
            return self._long(frames)
        controls = self.controls(frames)
        noise = self._noise(frames)
        generated = self._generate(crop_controls(controls, 0, noise.shape[2]), noise)
        return self._finish(generated.mel[..., :frames], controls, (generated,))

    def controls(self, frames: int) -> list[WeightedControl]:
        """Return the controls of a piece of ``frames`` frames."""
        read = read_controls(self.request, self.mel, frames, round(MAX_STRETCH * self.clip))
        return [*read, *map(self.request.with_weight, self.audio_controls)]

    def _noise(self, frames: int) -> Tensor:
        return self.composer.noise(1, frames / self.mel.frame_rate, self.generator)

    def _generate(self, controls: Sequence[WeightedControl], noise: Tensor) -> GeneratedClip:
        """Generate a clip, with controls if there are any."""
        if controls:
            return optimize_latent(
                self.composer,
                controls,
                noise,
                self.settings,
                tags=self.tags,
                generator=self.generator,
                progress=self.progress,
            )
        return sample(self.composer, noise, self.settings, self.tags)

    def _finish(
        self,
        mel: Tensor,
        controls: Sequence[WeightedControl],
        clips: Sequence[GeneratedClip],
        clip_mel: Tensor | None = None,
        samples: NDArray[np.float32] | None = None,
        seams: SeamReport | None = None,
    ) -> Composition:
        """Vocode the piece, unless its samples are given, and collect the result."""
        wave = Wave(self._vocode(mel) if samples is None else samples, self.mel.sample_rate)
        plain = tuple(control for control, _ in controls)
        return Composition(
            wave, mel, plain, mel if clip_mel is None else clip_mel, tuple(clips), seams
        )

    @torch.no_grad()
    def _vocode(self, mel: Tensor) -> NDArray[np.float32]:
        found: NDArray[np.float32] = self.composer.vocode(mel)[0].cpu().numpy()
        return found

    def _loop(self, frames: int) -> Composition:
        """Compose a loop."""
        overlap = min(self.overlap, frames // 2)
        noise = self._noise(frames + overlap)
        n = noise.shape[2]
        loop = self.request.with_weight(Loop(overlap, n - frames - overlap))
        controls = self.controls(frames)
        generated = self._generate([*crop_controls(controls, 0, n), loop], noise)
        whole = generated.mel[..., : frames + overlap]
        mel = close_loop(whole, overlap)
        samples = vocode_loop(self.composer.vocode, mel, self.mel)
        plotted = crop_controls(controls, 0, frames + overlap)
        plotted.append(self.request.with_weight(Loop(overlap)))
        return self._finish(mel, plotted, (generated,), whole, samples)

    def _long(self, frames: int) -> Composition:
        """Compose a piece that is longer than a clip."""
        controls = self.controls(frames)
        first = crop_controls(controls, 0, self.clip)
        generated = self._generate(first, self._noise(self.clip))
        return self._continue(generated.mel, frames, controls, (generated,))

    def _continue(
        self,
        mel: Tensor,
        frames: int,
        controls: Sequence[WeightedControl],
        clips: Sequence[GeneratedClip],
        given: Wave | None = None,
    ) -> Composition:
        """Continue a piece until it has ``frames`` frames."""
        piece = outpaint(
            self.composer,
            mel,
            frames,
            clip=self.clip,
            overlap=min(self.overlap, mel.shape[2]),
            controls=lambda first, last: crop_controls(controls, first, last),
            settings=self.settings,
            tags=self.tags,
            generator=self.generator,
            progress=self.progress,
        )
        samples = self._vocode(piece.mel)
        if given is not None:
            samples = splice(given.samples, samples, self.overlap * self.mel.hop)
        seams = measure_seams(
            piece.mel.cpu(), piece.seams, self.mel, torch.from_numpy(samples).unsqueeze(0)
        )
        return self._finish(
            piece.mel, controls, (*clips, *piece.clips), samples=samples, seams=seams
        )

    def _outpaint(self, path: Path) -> Composition:
        """Continue a recording."""
        given = read_clip(path, self.mel, "outpaint")
        seconds = self.request.seconds
        if seconds is None:
            seconds = given.seconds + SECONDS
        if seconds < given.seconds + 0.5:
            raise InputError(
                f"outpaint: {path} lasts {given.seconds:.1f} s already: --seconds is the duration "
                f"of the whole piece, for example {given.seconds + SECONDS:.0f}"
            )
        tail = self.overlap * self.mel.hop
        check_not_silent(given.samples[-tail:], f"outpaint: the end of {path}")
        frames = round(seconds * self.mel.frame_rate)
        mel = wave_to_mel(given, self.mel).to(self.composer.device)
        return self._continue(mel, frames, self.controls(frames), (), given)

    def _inpaint(self, path: Path, gap: tuple[float, float]) -> Composition:
        """Fill a gap of a recording."""
        given, (begin, end) = read_clip(path, self.mel, "inpaint"), gap
        if not 0 <= begin < end <= given.seconds + 0.05:
            raise InputError(
                f"inpaint: the gap from {begin:g} to {end:g} s is not inside {path}, which lasts "
                f"{given.seconds:.1f} s"
            )
        rate, hop = self.mel.frame_rate, self.mel.hop
        width = min(round(MAX_STRETCH * self.clip), round(given.seconds * rate))
        low, high = round(begin * rate), round(end * rate)
        if high - low > 0.8 * width:
            raise InputError(
                f"inpaint: the gap lasts {end - begin:g} s: up to {0.8 * width / rate:.1f} s of "
                "this recording can be filled"
            )
        first = min(max(0, (low + high - width) // 2), round(given.seconds * rate) - width)
        samples = given.samples[first * hop : (first + width) * hop]
        n = self._noise(width).shape[2]
        padded = np.pad(samples, (0, n * hop - len(samples)))
        check_not_silent(samples, f"inpaint: the surroundings of the gap of {path}")
        mel = wave_to_mel(Wave(padded, self.mel.sample_rate), self.mel)[..., :n]
        mel = mel.to(self.composer.device)
        frame = torch.arange(n) + first
        known = ((frame < low) | (frame >= high)) & (frame < first + width)
        others = crop_controls(self.controls(round(given.seconds * rate)), first, first + n)
        controls = [self.request.with_weight(Inpaint(mel[0], known)), *others]
        start = warm_start_noise(self.composer, mel, known, self._noise(width), tags=self.tags)
        generated = self._generate(controls, start)
        patch = self._vocode(generated.mel)[: len(samples)]
        span = (low * hop, high * hop)
        whole = patch_gap(given.samples, patch, first * hop, span, fade=hop * 4)
        return self._finish(generated.mel, controls, (generated,), samples=whole)
