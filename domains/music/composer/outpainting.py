"""Pieces longer than a clip: outpainted again and again, and what their seams are like."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.optimise import Progress
from oneleap.domains.music.composer.steering import Settings, Steered, steer, warm_noise
from oneleap.domains.music.controls.base import Control, Weighted
from oneleap.domains.music.controls.edits import Outpaint, Seam, crossfade
from oneleap.domains.music.features.spectral import seam_flux

Asked = Callable[[int, int], Sequence[Control | Weighted]]
"""What is asked of the frames from a first to a last one, beside going on."""


def nothing(first: int, last: int) -> Sequence[Control | Weighted]:
    """No wishes but to go on."""
    return ()


@dataclass(frozen=True, eq=False)
class Grown:
    """A long piece.

    Attributes:
        mel: The whole, (1, mels, n).
        seams: First and last frame of each overlap.
        parts: What came of each clip.
    """

    mel: Float[Tensor, "1 mels n"]
    seams: tuple[tuple[int, int], ...]
    parts: tuple[Steered, ...]


def grow(
    composer: Composer,
    mel: Float[Tensor, "1 mels n"],
    frames: int,
    *,
    clip: int,
    overlap: int,
    asked: Asked = nothing,
    settings: Settings = Settings(),  # noqa: B008  (frozen)
    tags: Sequence[str] = (),
    generator: torch.Generator | None = None,
    progress: Progress | None = None,
) -> Grown:
    """Go on from a piece until it has ``frames`` frames, a clip at a time.

    Each clip begins with the last frames of what there is (:class:`Outpaint`), ``overlap`` or up
    to twice as many: from where little changes. It is crossfaded into them, and where they end it
    does not jump (:class:`Seam`): three in four moments of the piece may change more.

    Args:
        composer: Who composes.
        mel: The beginning, at least ``overlap`` frames.
        frames: Of the whole.
        clip: Frames made at a time.
        overlap: Frames shared by neighbours, at least.
        asked: Further wishes, by the frames they are about.
        settings: Of each search.
        tags: Of each clip.
        generator: Of the noise.
        progress: Of each search.

    Raises:
        InputError: If the beginning is shorter than the overlap, the overlap than five frames, or
            the clip not five frames longer.
    """
    if not 5 <= overlap < clip - 5 or mel.shape[2] < overlap:
        raise InputError(
            f"overlap: {overlap} frames, of a beginning of {mel.shape[2]} and clips of {clip}"
        )
    parts, seams = list[Steered](), list[tuple[int, int]]()
    seconds = clip / composer.spec.mel.frame_rate
    while mel.shape[2] < frames:
        flux = seam_flux(mel, composer.spec.mel)[0]
        first = _quiet(flux, mel.shape[2], overlap, clip)
        last_frames = mel[0, :, first:]
        shared = last_frames.shape[1]
        drawn = composer.noise(1, seconds, generator)[..., :clip]
        given = torch.cat([mel[..., first:], mel.new_zeros(1, len(mel[0]), clip - shared)], dim=2)
        kept = torch.arange(clip) < shared
        start = warm_noise(composer, given, kept, drawn, tags=tags)
        seam = Seam(composer.spec.mel, shared, float(flux.quantile(0.75)))
        controls = [Outpaint(last_frames), seam, *asked(first, first + clip)]
        made = steer(
            composer, controls, start, settings, tags=tags, generator=generator, progress=progress
        )
        mel = crossfade(mel, made.mel, shared)
        parts.append(made)
        seams.append((first, first + shared))
    return Grown(mel[..., :frames], tuple(s for s in seams if s[1] <= frames), tuple(parts))


def _quiet(flux: Float[Tensor, "m"], n: int, overlap: int, clip: int) -> int:
    """Frame of the last ones, ``overlap`` to twice as many from the end, with the least flux."""
    low = max(2, n - min(2 * overlap, clip // 2))
    within = flux[low - 2 : n - overlap - 1]
    return low + int(within.argmin()) if len(within) else n - overlap


@dataclass(frozen=True)
class Seams:
    """How a piece's seams compare with the piece.

    Attributes:
        flux: Mean spectral flux over each seam, dB.
        limit: 95th percentile of the same means over the rest of the piece.
    """

    flux: tuple[float, ...]
    limit: float

    @property
    def audible(self) -> tuple[int, ...]:
        """Numbers of the seams that stand out."""
        return tuple(k for k, value in enumerate(self.flux) if value > self.limit)


def measure_seams(
    mel: Float[Tensor, "1 mels n"], seams: Sequence[tuple[int, int]], spec: Mel
) -> Seams:
    """Spectral flux at the edges of the overlaps, against the piece's own.

    A crossfade has no one place: it begins and ends, and at both the spectrum may jump. The flux
    of a seam is the greater of the means over the five frames about its two edges; the limit is
    the 95th percentile of the means over any five frames.

    Raises:
        InputError: If the piece is shorter than five frames.
    """
    if mel.shape[2] < 5:
        raise InputError("seams: of a piece of five frames or more")
    means = seam_flux(mel, spec)[0]
    found = [
        max(float(means[min(max(0, edge - 2), len(means) - 1)]) for edge in seam) for seam in seams
    ]
    return Seams(tuple(found), float(torch.quantile(means, 0.95)))
