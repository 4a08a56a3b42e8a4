"""Losses of vocoders in closed form."""

import math
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.tiny_audio import MEL
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.audio.vocoders import losses
from oneleap.domains.audio.vocoders.discriminators import DiscriminatorOutput
from oneleap.domains.audio.vocoders.losses import (
    MultiResolutionSTFT,
    discriminator_loss,
    feature_matching_loss,
    generator_loss,
    mel_distance,
    stft_distance,
)


def test_distances_are_zero_for_equal_sounds_and_grow_with_the_error() -> None:
    g = torch.Generator().manual_seed(0)
    wave, e = torch.randn(2, 4096, generator=g), torch.randn(2, 4096, generator=g)
    for distance in (lambda x: mel_distance(x, wave, MEL), lambda x: stft_distance(x, wave)):
        assert float(distance(wave)) == 0
        assert 0 < float(distance(wave + 0.1 * e)) < float(distance(wave + e))


def test_spectral_distance_in_closed_form() -> None:
    wave = torch.randn(2, 4096, generator=torch.Generator().manual_seed(0))
    assert float(stft_distance(2 * wave, wave)) == pytest.approx(1 + math.log(2), rel=1e-4)
    each = MultiResolutionSTFT(weight=1.0)(torch.tensor([[2.0], [0.5]]) * wave, wave)
    wanted = torch.tensor([1 + math.log(2), 0.5 + math.log(2)])
    torch.testing.assert_close(each, wanted, rtol=1e-4, atol=0)
    silence, hum = torch.zeros(2, 4096), 1e-9 * wave
    assert float(stft_distance(hum, hum / 2)) < 1e-2 * float(stft_distance(hum * 1e6, hum))
    assert float(stft_distance(silence, silence)) == 0


def test_adversarial_losses_in_closed_form() -> None:
    def output(score: float, feature: float) -> list[DiscriminatorOutput]:
        return [
            DiscriminatorOutput(
                torch.full((2, 3), 1.0 * score), [torch.full((2, 3), 1.0 * feature)]
            )
        ]

    assert float(discriminator_loss(output(1.5, 0), output(-2, 0))) == 0
    assert float(discriminator_loss(output(0.5, 0), output(0.25, 0))) == 0.5 + 1.25
    assert float(generator_loss(output(0.25, 0))) == 0.75
    assert float(feature_matching_loss(output(0, 1), output(0, 3))) == 2


def test_summed_feature_matching_equals_a_sum_by_hand() -> None:
    def output(score: list[float], *features: list[float]) -> DiscriminatorOutput:
        return DiscriminatorOutput(torch.tensor([score]), [torch.tensor([f]) for f in features])

    real = [output([1.0, 3.0], [0.0, 2.0], [5.0]), output([0.0], [1.0], [1.0], [1.0])]
    fake = [output([2.0, 3.0], [1.0, 4.0], [2.0]), output([0.5], [3.0], [1.0], [0.0])]
    # Layers 1.5 and 3 and scores 0.5; layers 2, 0 and 1 and scores 0.5; two discriminators.
    assert float(feature_matching_loss(real, fake, "sum")) == ((1.5 + 3 + 0.5) + (2 + 1 + 0.5)) / 2
    assert float(feature_matching_loss(real, fake, "mean")) == ((1.5 + 3) / 2 + (2 + 1) / 3) / 2
    assert float(feature_matching_loss(real, fake)) == float(
        feature_matching_loss(real, fake, "mean")
    )


def test_the_metric_of_one_wave_is_the_stft_distance_and_its_squared_error() -> None:
    fake, real = torch.randn(2, 1, 4000, generator=torch.Generator().manual_seed(0))
    found = MultiResolutionSTFT(weight=1.0)(fake, real)
    torch.testing.assert_close(found, stft_distance(fake, real).unsqueeze(0))
    error = (fake - real).square().mean(1)
    torch.testing.assert_close(MultiResolutionSTFT(weight=0.0)(fake, real), error)
    torch.testing.assert_close(MultiResolutionSTFT(0.25)(fake, real), 0.75 * error + 0.25 * found)


def test_resolutions_count_alike() -> None:
    fake, real = torch.randn(2, 2, 4000, generator=torch.Generator().manual_seed(0))
    alone = [MultiResolutionSTFT(1.0, (size,))(fake, real) for size in losses.RESOLUTIONS]
    torch.testing.assert_close(MultiResolutionSTFT(1.0)(fake, real), sum(alone) / len(alone))
    assert (alone[0] - alone[2]).abs().min() > 1e-3  # and each is another


def test_the_metric_is_that_of_each_row_and_blind_to_padding() -> None:
    fake, real = torch.randn(2, 3, 2000, generator=torch.Generator().manual_seed(0))
    metric = MultiResolutionSTFT(resolutions=((256, 64),))
    rows = torch.cat([metric(a[None], b[None]) for a, b in zip(fake, real, strict=True)])
    torch.testing.assert_close(metric(fake, real), rows)
    assert metric(real, real).abs().max() < 1e-6
    mask = torch.arange(2000) < 1500
    other = torch.where(mask, fake, 9.0)
    torch.testing.assert_close(
        metric(other, real, mask.expand(3, -1)), metric(fake, real, mask.expand(3, -1))
    )
    channels = metric(fake[:, None], real[:, None])
    torch.testing.assert_close(channels, rows)
    with pytest.raises(InputError, match="weight of MultiResolutionSTFT"):
        MultiResolutionSTFT(weight=2.0)
    with pytest.raises(InputError, match="name at least one"):
        MultiResolutionSTFT(resolutions=())


# Mutants of the spectral distance.


STFT, NORM = losses.stft, torch.linalg.vector_norm
CLOSED, EACH = (
    test_spectral_distance_in_closed_form,
    test_the_metric_is_that_of_each_row_and_blind_to_padding,
)


def power(*args: Any, **rest: Any) -> Tensor:
    return STFT(*args, **rest).abs().square()


def norms(norm: Callable[..., Tensor]) -> SimpleNamespace:
    """torch as the file sees it, with another norm."""
    return SimpleNamespace(**{**vars(torch), "linalg": SimpleNamespace(vector_norm=norm)})


def first_resolution(wave: Tensor, *sizes: int, **rest: Any) -> Tensor:
    return STFT(wave, 512, 128, 512, **rest)


MUTANTS: dict[str, tuple[Any, str, Any, Callable[[], None]]] = {
    "power": (losses, "stft", power, CLOSED),
    "decimal-logarithm": (Tensor, "log", Tensor.log10, CLOSED),
    "norm-of-the-batch": (losses, "torch", norms(lambda x, dim=None: NORM(x)), EACH),
    "absolute": (losses, "torch", norms(lambda x, dim=None: torch.ones(())), CLOSED),
    "padding": (Tensor, "masked_fill", lambda x, mask, value: x, EACH),
    "one-resolution": (
        losses,
        "stft",
        first_resolution,
        test_resolutions_count_alike,
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_mutant_of_the_spectral_distance_is_seen(
    monkeypatch: pytest.MonkeyPatch, mutant: tuple[Any, str, Any, Callable[[], None]]
) -> None:
    where, name, wrong, exactness = mutant
    monkeypatch.setattr(where, name, wrong)
    with pytest.raises(AssertionError):
        exactness()
