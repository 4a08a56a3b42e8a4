"""Curve model: temperature, units, padding."""

import torch
from support.exact import seeded
from support.tiny_singing import curves, songs

from oneleap.domains.singing.models.curves import hertz, semitones


def test_temperature_scales_the_noise() -> None:
    model = curves()
    curve_batch = model.curve_batch(songs())
    noise = torch.randn(curve_batch.x.shape, generator=torch.Generator().manual_seed(0))
    cool = model.generate(curve_batch, 0.5 * noise)
    model.temperature = 0.25
    torch.testing.assert_close(model.generate(curve_batch, noise), cool)
    assert not torch.allclose(model.generate(curve_batch, 2 * noise), cool)


def test_normalization_is_invertible() -> None:
    model, batch = curves(), songs()
    curve_batch = model.curve_batch(batch)
    assert curve_batch.x.shape == (3, 2, 75)
    off = model.denormalize(curve_batch.x)[:, 0]
    found = hertz(batch.base_pitch + off)
    real = curve_batch.mask[:, 0]
    torch.testing.assert_close(found[real], batch.f0[real])
    assert semitones(torch.tensor([440.0, 880.0])).tolist() == [69, 81]
    both = curves(("energy", "breathiness"))
    loud = both.denormalize(both.curve_batch(batch).x)
    torch.testing.assert_close(loud[:, 0], batch.energy, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(loud[:, 1], batch.breathiness, rtol=1e-4, atol=1e-3)


def test_padding_has_no_influence() -> None:
    model, batch = curves(), songs()
    curve_batch = model.curve_batch(batch)
    n = int(batch.num_frames[0])
    one = type(curve_batch)(*(x[:1] for x in curve_batch))
    one = one._replace(base_pitch=one.base_pitch[:, :n], x=one.x[..., :n], mask=one.mask[..., :n])
    e = torch.randn(curve_batch.x.shape, generator=seeded(0))
    together = model.generate(curve_batch, e)
    alone = model.generate(one, e[:1, :, :n])
    torch.testing.assert_close(together[:1, :, :n], alone, atol=1e-4, rtol=1e-4)
