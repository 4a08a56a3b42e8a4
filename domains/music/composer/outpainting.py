"""Pieces that are longer than a clip: repeated outpainting, and a measure of the seams."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.generation import (
    GeneratedClip,
    GenerationSettings,
    optimize_latent,
    warm_start_noise,
)
from oneleap.domains.music.composer.optimize import ProgressCallback
from oneleap.domains.music.controls.base import Control, WeightedControl
from oneleap.domains.music.controls.edits import Outpaint, Seam, crossfade
from oneleap.domains.music.features.spectral import smoothed_flux

ControlsForFrames = Callable[[int, int], Sequence[Control | WeightedControl]]
"""Returns the controls of a range of frames: the first frame, and the one after the last."""


def no_controls(first: int, last: int) -> Sequence[Control | WeightedControl]:
    """Return no controls, for any range of frames."""
    return ()


@dataclass(frozen=True, eq=False)
class OutpaintedPiece:
    """A long piece.

    Attributes:
        mel: Spectrogram of the whole piece, (1, mels, n).
        seams: Start and end frame of each overlap.
        clips: The clips that were generated.
    """

    mel: Float[Tensor, "1 mels n"]
    seams: tuple[tuple[int, int], ...]
    clips: tuple[GeneratedClip, ...]


def outpaint(
    composer: Composer,
    mel: Float[Tensor, "1 mels n"],
    frames: int,
    *,
    clip: int,
    overlap: int,
    controls: ControlsForFrames = no_controls,
    settings: GenerationSettings = GenerationSettings(),  # noqa: B008  (frozen)
    tags: Sequence[str] = (),
    generator: torch.Generator | None = None,
    progress: ProgressCallback | None = None,
) -> OutpaintedPiece:
    """Continue a piece clip by clip, until it has ``frames`` frames.

    Each clip starts with the last frames of the piece so far (:class:`Outpaint`) and is
    crossfaded into them. The overlap has between ``overlap`` and twice as many frames: it starts
    where the spectrum changes least. Where it ends, the spectrum must not jump (:class:`Seam`):
    its flux stays below the upper quartile of the flux of the piece.

    Args:
        composer: The composer.
        mel: Spectrogram of the start, at least ``overlap`` frames.
        frames: Number of frames of the whole piece.
        clip: Number of frames that are generated at once.
        overlap: Minimum number of frames that consecutive clips share.
        controls: Additional controls, by range of frames.
        settings: Settings of the generation of a clip.
        tags: Tags of each clip.
        generator: Random generator of the noise.
        progress: Called after each step of an optimization.

    Returns:
        The piece, its seams, and the clips that were generated.

    Raises:
        InputError: If the start is shorter than the overlap, the overlap is shorter than five
            frames, or a clip is less than six frames longer than the overlap.
    """
    if not 5 <= overlap < clip - 5 or mel.shape[2] < overlap:
        raise InputError(
            f"overlap: {overlap} frames do not fit a start of {mel.shape[2]} and clips of {clip}"
        )
    clips, seams = list[GeneratedClip](), list[tuple[int, int]]()
    seconds = clip / composer.spec.mel.frame_rate
    while mel.shape[2] < frames:
        flux = smoothed_flux(mel, composer.spec.mel)[0]
        first = _overlap_start(flux, mel.shape[2], overlap, clip)
        last_frames = mel[0, :, first:]
        shared = last_frames.shape[1]
        noise = composer.noise(1, seconds, generator)[..., :clip]
        given = torch.cat([mel[..., first:], mel.new_zeros(1, len(mel[0]), clip - shared)], dim=2)
        known = torch.arange(clip) < shared
        start = warm_start_noise(composer, given, known, noise, tags=tags)
        seam = Seam(composer.spec.mel, shared, float(flux.quantile(0.75)))
        generated = optimize_latent(
            composer,
            [Outpaint(last_frames), seam, *controls(first, first + clip)],
            start,
            settings,
            tags=tags,
            generator=generator,
            progress=progress,
        )
        mel = crossfade(mel, generated.mel, shared)
        clips.append(generated)
        seams.append((first, first + shared))
    inside = tuple(seam for seam in seams if seam[1] <= frames)
    return OutpaintedPiece(mel[..., :frames], inside, tuple(clips))


def _overlap_start(flux: Float[Tensor, "m"], n: int, overlap: int, clip: int) -> int:
    """Return the frame of least flux that is ``overlap`` to twice as many frames from the end."""
    low = max(2, n - min(2 * overlap, clip // 2))
    within = flux[low - 2 : n - overlap - 1]
    return low + int(within.argmin()) if len(within) else n - overlap


@dataclass(frozen=True)
class SeamReport:
    """Spectral flux at the seams of a piece, and a limit from the rest of the piece.

    Attributes:
        flux: Mean spectral flux of each seam in dB.
        limit: 95th percentile of the mean flux over the piece in dB.
    """

    flux: tuple[float, ...]
    limit: float

    @property
    def audible(self) -> tuple[int, ...]:
        """Indices of the seams whose flux is above the limit."""
        return tuple(k for k, value in enumerate(self.flux) if value > self.limit)


def measure_seams(
    mel: Float[Tensor, "1 mels n"], seams: Sequence[tuple[int, int]], spec: Mel
) -> SeamReport:
    """Measure the spectral flux at the edges of the overlaps.

    A crossfade has two edges, where it starts and where it ends, and the spectrum can jump at
    both. The flux of a seam is the larger of the means over the five frames around its two edges.
    The limit is the 95th percentile of the means over any five consecutive frames.

    Args:
        mel: Spectrogram of the piece.
        seams: Start and end frame of each overlap.
        spec: Mel format.

    Returns:
        The flux of each seam, and the limit.

    Raises:
        InputError: If the piece is shorter than five frames.
    """
    if mel.shape[2] < 5:
        raise InputError(f"seams: a piece needs at least five frames, not {mel.shape[2]}")
    means = smoothed_flux(mel, spec)[0]
    found = [
        max(float(means[min(max(0, edge - 2), len(means) - 1)]) for edge in seam) for seam in seams
    ]
    return SeamReport(tuple(found), float(torch.quantile(means, 0.95)))
