"""Pieces that are longer than a clip: repeated outpainting, and a measure of the seams."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.generation import (
    GeneratedClip,
    GenerationSettings,
    optimize_latent,
    warm_start_noise,
)
from oneleap.domains.music.composer.optimize import ProgressCallback
from oneleap.domains.music.controls.base import Control, WeightedControl
from oneleap.domains.music.controls.edits import Outpaint, Seam, SeamLevel, crossfade
from oneleap.domains.music.features.level import (
    level_jumps,
    levels_of_samples,
    reach_of_jumps,
)
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
    its flux stays below the upper quartile of the flux of the piece. Nor must the loudness of the
    sound (:class:`SeamLevel`).

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
    vocode = composer.vocode if isinstance(composer.vocoder, Vocos) else None
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
        level = SeamLevel(composer.spec.mel, shared, vocode)
        generated = optimize_latent(
            composer,
            [Outpaint(last_frames), seam, level, *controls(first, first + clip)],
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


LEAST_JUMP_DB = 6.0
"""A jump of loudness up to this one never counts as audible, in dB."""


@dataclass(frozen=True)
class SeamReport:
    """What can be heard at the seams of a piece, and limits from the rest of the piece.

    Attributes:
        flux: Mean spectral flux of each seam in dB.
        limit: 95th percentile of the mean flux over the piece in dB.
        level: Jump of loudness of each seam in dB; empty if the sound was not given.
        level_limit: 95th percentile of the jumps away from the seams, at least 6 dB.
    """

    flux: tuple[float, ...]
    limit: float
    level: tuple[float, ...] = ()
    level_limit: float = LEAST_JUMP_DB

    @property
    def audible(self) -> tuple[int, ...]:
        """Indices of the seams whose flux or jump of loudness is above its limit."""
        level = self.level or (0.0,) * len(self.flux)
        return tuple(
            k
            for k, (flux, jump) in enumerate(zip(self.flux, level, strict=True))
            if flux > self.limit or jump > self.level_limit
        )


def measure_seams(
    mel: Float[Tensor, "1 mels n"],
    seams: Sequence[tuple[int, int]],
    spec: Mel,
    samples: Float[Tensor, "1 m"] | None = None,
) -> SeamReport:
    """Measure the spectral flux and the loudness at the edges of the overlaps.

    A crossfade has two edges, where it starts and where it ends, and the spectrum can jump at
    both. The flux of a seam is the larger of the means over the five frames around its two edges.
    The limit is the 95th percentile of the means over any five consecutive frames.

    The flux does not see a gap: it only counts what increases, and a slow end of a gap is no jump.
    The loudness of the sound does, in windows of 50 ms, see
    :func:`oneleap.domains.music.features.level.level_jumps`. It is measured in the middle and at
    the end of the overlap, because its start sounds as it did before.

    Args:
        mel: Spectrogram of the piece.
        seams: Start and end frame of each overlap.
        spec: Mel format.
        samples: Sound of the piece; without it only the flux is measured.

    Returns:
        The flux and the jump of loudness of each seam, and their limits.

    Raises:
        InputError: If the piece is shorter than five frames.
    """
    if mel.shape[2] < 5:
        raise InputError(f"seams: a piece needs at least five frames, not {mel.shape[2]}")
    means = smoothed_flux(mel, spec)[0]
    found = [
        max(float(means[min(max(0, edge - 2), len(means) - 1)]) for edge in seam) for seam in seams
    ]
    limit = float(torch.quantile(means, 0.95))
    if samples is None or samples.shape[1] < spec.hop:
        return SeamReport(tuple(found), limit)
    jumps = level_jumps(levels_of_samples(samples, spec), spec)[0]
    rest, reach = torch.ones_like(jumps, dtype=torch.bool), reach_of_jumps(spec)
    levels = list[float]()
    for first, last in seams:
        heard = ((first + last) // 2, last)
        levels.append(max(float(jumps[min(frame, len(jumps) - 1)]) for frame in heard))
        rest[max(0, first - reach) : last + reach] = False
    usual = float(torch.quantile(jumps[rest], 0.95)) if rest.any() else 0.0
    return SeamReport(tuple(found), limit, tuple(levels), max(LEAST_JUMP_DB, usual))
