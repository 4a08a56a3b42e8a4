"""Generation of clips: the loss falls, and one step is what was optimized."""

import pytest
import torch
from support import tiny_music

from oneleap.domains.music.composer.generation import (
    GenerationSettings,
    default_steps,
    optimize_latent,
)
from oneleap.domains.music.controls.base import Intensity
from oneleap.domains.music.controls.targets import preset_curve

RATE, MEL = tiny_music.RATE, tiny_music.MEL


def test_melody_and_structure_take_more_steps() -> None:
    assert default_steps() == default_steps("intensity", "inpaint") == 70
    assert default_steps("melody") == default_steps("intensity", "structure") == 150


@pytest.mark.parametrize("method", ["ditto2", "ditto"])
def test_the_optimization_lowers_the_loss(method: str) -> None:
    composer = tiny_music.composer()
    noise = composer.noise(2, 1.0, torch.Generator().manual_seed(0))
    control = Intensity(MEL, preset_curve("rise", noise.shape[2], -60.0, -20.0), window_s=0.2)
    settings = GenerationSettings(method=method, steps=15, sampler_steps=4)  # type: ignore[arg-type]
    found = optimize_latent(composer, [control], noise, settings, tags=("calm",))
    first, last = found.optimization.history["intensity"][[0, -1]]
    assert (last < first).all()
    torch.testing.assert_close(found.metrics["intensity"], control.metric(found.mel))
    if method == "ditto":
        again = composer.denormalize(noise)  # not just the noise
        assert not torch.equal(found.mel, again)


def test_one_decoding_step_gives_what_was_optimized() -> None:
    composer = tiny_music.composer()
    noise = composer.noise(1, 1.0, torch.Generator().manual_seed(0))
    control = Intensity(MEL, preset_curve("rise", noise.shape[2]), window_s=0.2)
    found = optimize_latent(
        composer, [control], noise, GenerationSettings(steps=2, decode_steps=(1,))
    )
    assert torch.equal(found.mel, found.optimization.mel)
    assert torch.equal(found.mel, composer.decode(found.optimization.noise))
