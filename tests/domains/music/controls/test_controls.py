import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import log_mel, magnitudes
from oneleap.domains.music.composer.optimize import optimize_noise
from oneleap.domains.music.controls.base import Control, Intensity, Melody, with_weights
from oneleap.domains.music.controls.edits import (
    Inpaint,
    Loop,
    Outpaint,
    Seam,
    SeamLevel,
    close_loop,
    crossfade,
)
from oneleap.domains.music.controls.timbre import Structure, Timbre, mean_cepstrum
from oneleap.domains.music.features.chroma import NO_MELODY
from oneleap.domains.music.features.spectral import decibels
from oneleap.domains.music.spec import MUSIC_MEL

N = 60
RATE = MUSIC_MEL.sample_rate


def mel(b: int = 2, n: int = N, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(b, MUSIC_MEL.n_mels, n, generator=g, dtype=torch.float64)


def tones(*hz: float, seconds: float = 0.5) -> Tensor:
    t = torch.arange(round(seconds * RATE), dtype=torch.float64) / RATE
    wave = torch.cat([0.3 * torch.sin(2 * math.pi * f * t) for f in hz])
    return log_mel(wave[None], MUSIC_MEL)


def loud(mel: Tensor) -> Tensor:
    """A vocoder: each sample is the mean magnitude of its frame."""
    return magnitudes(mel, MUSIC_MEL).mean(1).repeat_interleave(MUSIC_MEL.hop, 1)


def every() -> list[Control]:
    target = mel(1)[0]
    return [
        Intensity(MUSIC_MEL, torch.linspace(-30, -10, N, dtype=torch.float64)),
        Melody(MUSIC_MEL, torch.arange(N) % 12),
        Structure(MUSIC_MEL, "ABA"),
        Timbre(MUSIC_MEL, mean_cepstrum(target[None], MUSIC_MEL)),
        Inpaint(target, torch.arange(N) % 30 < 20),
        Outpaint(target[:, :10]),
        Seam(MUSIC_MEL, 10, 0.1),
        SeamLevel(MUSIC_MEL, N // 2, threshold=1.0),
        SeamLevel(MUSIC_MEL, N // 2, loud, 1.0),
        Loop(12),
        Loop(12, 4),
    ]


@pytest.mark.parametrize("control", every(), ids=lambda c: type(c).__name__)
def test_the_rows_of_every_control_are_independent_and_have_a_gradient(control: Control) -> None:
    x = mel(3, seed=1).requires_grad_(True)
    loss = control.loss(x)
    assert loss.shape == control.metric(x).shape == (3,)
    assert control.reached(control.metric(x)).dtype == torch.bool
    alone = torch.cat([control.loss(x[k : k + 1]) for k in range(3)])
    torch.testing.assert_close(loss, alone)
    (gradient,) = torch.autograd.grad(loss[1], x)
    assert gradient[1].abs().sum() > 0
    assert gradient[0].abs().sum() == gradient[2].abs().sum() == 0
    assert gradient.isfinite().all()
    shown = control.plot_data(x[:1])
    assert shown.target.ndim == shown.result.ndim
    assert control.loss(x.float()).dtype == torch.float32


@pytest.mark.parametrize("control", every(), ids=lambda c: type(c).__name__)
def test_every_control_can_be_reached_by_a_free_spectrogram(control: Control) -> None:
    found = optimize_noise(
        lambda e: e, [control], mel(1, seed=2), steps=150, lr=0.1, norm_weight=0.0
    )
    first, last = found.history[control.name][[0, -1], 0].tolist()
    assert last < 0.2 * first or found.reached.all()


def test_the_intensity_loss_of_its_own_curve_is_zero() -> None:
    x = mel(1)
    from oneleap.domains.music.features.spectral import rms_db

    control = Intensity(MUSIC_MEL, rms_db(x, MUSIC_MEL)[0], window_s=0.2)
    assert control.loss(x).item() == pytest.approx(0, abs=1e-20)
    shift = 20 / math.log(10) * MUSIC_MEL.std  # dB of a unit of the spectrogram
    assert control.loss(x + 0.5).item() == pytest.approx((0.5 * shift) ** 2, rel=1e-3)
    assert control.reached(torch.tensor([1.9, 2.1])).tolist() == [True, False]


def test_the_melody_metric_is_the_accuracy() -> None:
    x = tones(440.0, 523.25)  # A, then C
    n = x.shape[2]
    half = n // 2
    truth = torch.tensor([9] * half + [0] * (n - half))
    assert Melody(MUSIC_MEL, truth).metric(x).item() > 0.93
    assert Melody(MUSIC_MEL, (truth + 6) % 12).metric(x).item() == 0
    first = torch.where(torch.arange(n) < half, truth, NO_MELODY)
    only = Melody(MUSIC_MEL, first)
    assert only.metric(x).item() > 0.93
    garbage = x.clone()
    garbage[..., half:] = mel(1, n)[..., half:]
    torch.testing.assert_close(only.loss(garbage), only.loss(x))


@given(classes=st.lists(st.integers(0, 11), min_size=1, max_size=8))
@settings(max_examples=15, deadline=None)
def test_the_melody_loss_is_a_mean_negative_log_likelihood(classes: list[int]) -> None:
    x = mel(1, len(classes))
    control = Melody(MUSIC_MEL, torch.tensor(classes))
    probabilities = control.log_probabilities(x).exp()[0]
    torch.testing.assert_close(probabilities.sum(0), torch.ones_like(probabilities[0]))
    expected = -sum(math.log(probabilities[c, k]) for k, c in enumerate(classes)) / len(classes)
    assert control.loss(x).item() == pytest.approx(expected)


def test_a_melody_of_rests_is_refused() -> None:
    with pytest.raises(InputError, match="no frame"):
        Melody(MUSIC_MEL, torch.full((N,), NO_MELODY))


def test_the_structure_target_is_a_block_matrix() -> None:
    control = Structure(MUSIC_MEL, "ABA", per_section=2)
    expected = torch.tensor([[1, 0, 1], [0, 1, 0], [1, 0, 1]]).double()
    assert torch.equal(control.target[::2, ::2], expected)
    assert torch.equal(control.target, control.target.T)
    a, b = mel(1, 1, seed=3), mel(1, 1, seed=4)
    aba = torch.cat([a.expand(-1, -1, 20), b.expand(-1, -1, 20), a.expand(-1, -1, 20)], dim=2)
    aaa, abb = a.expand(-1, -1, 60), torch.cat([aba[..., :40], aba[..., 20:40]], dim=2)
    loss = [control.loss(x).item() for x in (aba, aaa, abb)]
    assert loss[0] < 0.1 < min(loss[1:])
    for wrong in ("A", "A1", ""):
        with pytest.raises(InputError, match="two letters"):
            Structure(MUSIC_MEL, wrong)


def test_the_timbre_loss_of_itself_is_zero_at_any_loudness() -> None:
    x = mel(1)
    control = Timbre(MUSIC_MEL, mean_cepstrum(x, MUSIC_MEL))
    assert control.loss(x + 0.7).item() == pytest.approx(0, abs=1e-18)


def test_inpainting_ignores_the_gap() -> None:
    x, known = mel(1), torch.arange(N) < 40
    control = Inpaint(x[0], known)
    y = x.clone()
    y[..., 40:] = 100
    assert control.loss(y).item() == 0
    assert control.loss(x + 0.5).item() == pytest.approx(0.25)
    for wrong in (known & False, known | True):
        with pytest.raises(InputError, match="gap"):
            Inpaint(x[0], wrong)


def test_the_metric_of_a_seam_is_the_flux_around_it() -> None:
    mel = torch.zeros(2, MUSIC_MEL.n_mels, 30)
    mel[1, :, 12:] = 1.0  # a jump
    seam = Seam(MUSIC_MEL, 12, 0.5)
    flux = seam.metric(mel)
    jump = decibels(mel[1:, :, 11:13], MUSIC_MEL).diff(dim=2).mean()
    torch.testing.assert_close(flux, torch.stack([jump * 0, jump / 5]))
    assert seam.reached(flux).tolist() == [True, False]
    assert seam.loss(mel)[0] == 0
    torch.testing.assert_close(seam.loss(mel)[1], (jump / 5 - 0.4).square())
    for at in (8, 16):  # it has no effect elsewhere
        assert Seam(MUSIC_MEL, at, 0.5).metric(mel)[1] == 0


def test_the_level_at_a_seam_is_that_of_the_sound() -> None:
    """A gap that only the vocoder makes is seen, and its loss asks for more sound there."""

    def with_gap(mel: Tensor) -> Tensor:
        gain = torch.ones(mel.shape[2], dtype=mel.dtype)
        gain[mel.shape[2] // 2 - 4 : mel.shape[2] // 2 + 4] = 0.1
        return (loud(mel) * gain.repeat_interleave(MUSIC_MEL.hop)).clone()

    level = torch.full((1, MUSIC_MEL.n_mels, 200), 1.0, dtype=torch.float64)
    level.requires_grad_(True)
    assert SeamLevel(MUSIC_MEL, 100).metric(level).item() == pytest.approx(0, abs=1e-9)
    assert SeamLevel(MUSIC_MEL, 100, loud).metric(level).item() == pytest.approx(0, abs=1e-9)
    seam = SeamLevel(MUSIC_MEL, 100, with_gap)
    assert seam.metric(level).item() == pytest.approx(20, abs=0.5)
    (gradient,) = torch.autograd.grad(seam.loss(level).sum(), level)
    assert gradient[..., 97:103].max() < 0  # a step against it makes them louder
    assert gradient[..., :40].abs().sum() == 0  # far from the seam nothing changes
    quiet = level.detach().clone()
    quiet[..., 100:110] -= 2.0
    assert SeamLevel(MUSIC_MEL, 100).loss(quiet) > 1


def test_outpainting_only_depends_on_the_start() -> None:
    x = mel(1)
    control = Outpaint(x[0, :, -15:])
    y = mel(1, seed=1)
    y[..., :15] = x[..., -15:]
    assert control.loss(y).item() == 0
    with pytest.raises(InputError, match="overlap"):
        control.loss(y[..., :15])


def test_a_loop_compares_its_ends() -> None:
    x = mel(1)
    x[..., -12:] = x[..., :12]
    assert Loop(12).loss(x).item() == 0
    assert Loop(13).loss(x).item() > 0
    longer = torch.cat([x, mel(1, 4)], dim=2)
    assert Loop(12, 4).loss(longer).item() == 0
    with pytest.raises(InputError, match="overlap"):
        Loop(31).loss(x)


@given(overlap=st.integers(0, 10))
def test_a_crossfade_of_a_sound_with_itself_is_that_sound(overlap: int) -> None:
    x = mel(1)
    whole = crossfade(x[..., : 30 + overlap], x[..., 30:], overlap)
    torch.testing.assert_close(whole, x)
    with pytest.raises(ValueError, match="overlap"):
        crossfade(x[..., :3], x, 4)


def test_a_closed_loop_leads_into_its_start() -> None:
    x = mel(1)
    x[..., -12:] = x[..., :12]
    loop = close_loop(x, 12)
    torch.testing.assert_close(loop, x[..., :-12])
    assert loop.shape[2] == N - 12


def test_weights() -> None:
    controls = every()[:2]
    assert [w for _, w in with_weights(controls)] == [1.0, 1.0]
