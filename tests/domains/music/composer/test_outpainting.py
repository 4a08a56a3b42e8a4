"""Outpainting keeps the start, and seams are measured."""

import pytest
import torch
from support import tiny_music

from oneleap.core.errors import InputError
from oneleap.domains.music.composer.generation import (
    GenerationSettings,
)
from oneleap.domains.music.composer.outpainting import measure_seams, outpaint

RATE, MEL = tiny_music.RATE, tiny_music.MEL

QUICK = GenerationSettings(steps=3, decode_steps=(1, 2))


def test_outpainting_keeps_the_start() -> None:
    composer = tiny_music.composer()
    g = torch.Generator().manual_seed(0)
    start = composer.decode(composer.noise(1, 0.5, g))
    piece = outpaint(composer, start, 70, clip=32, overlap=6, settings=QUICK, generator=g)
    assert piece.mel.shape[2] == 70
    n = start.shape[2]
    assert torch.equal(piece.mel[..., : n - 12], start[..., : n - 12])
    first, last = piece.seams[0]
    assert n - 12 <= first <= n - 6
    assert last == n
    for part in piece.clips:
        assert set(part.metrics) == {"outpaint", "seam"}
    with pytest.raises(InputError, match="overlap"):
        outpaint(composer, start, 70, clip=6, overlap=6)


def test_an_overlap_starts_where_little_changes() -> None:
    """The spectrum only pauses at frames 49 to 54, less than twice the overlap from the end."""
    composer = tiny_music.composer()
    g = torch.Generator().manual_seed(0)
    start = torch.randn(1, MEL.n_mels, 60, generator=g)
    start[..., 49:55] = start[..., 49:50]
    piece = outpaint(composer, start, 70, clip=32, overlap=6, settings=QUICK, generator=g)
    assert piece.seams[0][0] in (51, 52)


def test_a_cut_is_audible_and_its_absence_is_not() -> None:
    g = torch.Generator().manual_seed(0)
    mel = 0.05 * torch.randn(1, MEL.n_mels, 200, generator=g)
    mel[..., 100:] += 3
    found = measure_seams(mel, [(40, 50), (95, 101)], MEL)
    assert found.audible == (1,)
    assert found.flux[1] > 3 * found.limit
