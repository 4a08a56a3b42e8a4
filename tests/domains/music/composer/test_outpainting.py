"""Outpainting keeps the start, and seams are measured."""

import pytest
import torch
from support import tiny_music

from oneleap.core.errors import InputError
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.generation import GenerationSettings
from oneleap.domains.music.composer.outpainting import measure_seams, outpaint
from oneleap.domains.music.composer.request import CompositionRequest
from oneleap.domains.music.composer.session import Session
from oneleap.domains.music.spec import MUSIC_MEL

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
        assert set(part.metrics) == {"outpaint", "seam", "seam level"}
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


def test_a_gap_in_the_sound_is_audible_even_if_the_flux_is_low() -> None:
    """The spectrogram is even; only the sound falls silent for 0.12 s, where a seam ends."""
    g, n = torch.Generator().manual_seed(0), 400
    mel = 0.05 * torch.randn(1, MUSIC_MEL.n_mels, n, generator=g)
    sound = 0.1 * torch.randn(1, n * MUSIC_MEL.hop, generator=g)
    seams = [(100, 150), (250, 300)]
    even = measure_seams(mel, seams, MUSIC_MEL, sound)
    assert even.audible == ()
    assert max(even.level) < 1.5
    sound[:, 300 * MUSIC_MEL.hop : 310 * MUSIC_MEL.hop] *= 0.04  # 28 dB
    gap = measure_seams(mel, seams, MUSIC_MEL, sound)
    assert gap.audible == (1,)
    assert gap.level[1] == pytest.approx(28, abs=2)
    assert gap.level[0] == even.level[0]
    assert measure_seams(mel, seams, MUSIC_MEL).audible == ()  # what the flux alone says


def test_a_piece_full_of_gaps_has_a_higher_limit() -> None:
    n = 1200
    sound = 0.1 * torch.randn(1, n, MUSIC_MEL.hop, generator=torch.Generator().manual_seed(0))
    sound[:, torch.arange(n) % 40 < 10] *= 0.05
    report = measure_seams(
        torch.randn(1, MUSIC_MEL.n_mels, n), [(400, 440)], MUSIC_MEL, sound.flatten(1)
    )
    assert report.level_limit > 15
    assert report.level[0] <= report.level_limit + 3


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2])
def test_seams_of_the_shipped_composer_are_even(seed: int) -> None:
    """With a flat curve of loudness. Windows of -45 and -53 dB were found here beside -18 dB."""
    request = CompositionRequest(seconds=12.0, intensity="flat")
    piece = Session(Composer.load(), request, seed=seed).compose()
    assert piece.seams is not None
    assert len(piece.seams.level) == 2
    assert max(piece.seams.level) < 8
    w = round(0.05 * piece.wave.sample_rate)
    windows = torch.from_numpy(piece.wave.samples).unfold(0, w, w // 2)
    level = 10 * torch.log10(windows.square().mean(1) + 1e-10)
    assert level[4:-4].min() > level.median() - 14
