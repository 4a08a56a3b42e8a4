"""Vocos: chunked synthesis equals one call, padding has no influence, precision and sizes."""

import math

import pytest
import torch
from support.tiny_audio import MEL, tiny_vocos, tone

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.vocoders.losses import mel_distance
from oneleap.domains.audio.vocoders.vocos import Vocos


def features(n: int, rows: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, MEL.n_mels, n, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("frames", [1, 7, 64, 200])
def test_chunked_synthesis_equals_one_call(frames: int) -> None:
    net, mel = tiny_vocos(), features(90)
    with torch.no_grad():
        whole = net(mel)
    chunks = list(net.stream(mel, frames))
    assert len(chunks) == math.ceil(90 / frames)
    torch.testing.assert_close(torch.cat(chunks, 1), whole, atol=1e-5, rtol=1e-5)


def test_context_is_exact() -> None:
    net, mel = tiny_vocos().double(), features(60).double().requires_grad_()
    hop = MEL.hop
    wave = net(mel)
    assert wave.shape == (1, 60 * hop)
    (gradient,) = torch.autograd.grad(wave[0, 30 * hop : 31 * hop].sum(), mel)
    seen = gradient.abs().sum((0, 1)).nonzero().flatten()
    assert 30 - net.context <= seen.min()
    assert seen.max() <= 30 + net.context
    assert seen.max() - seen.min() >= 2 * net.context - 2


def test_padding_has_no_influence() -> None:
    net, mel = tiny_vocos(), features(20, rows=2)
    mask = torch.arange(20)[None, None] < torch.tensor([13, 20])[:, None, None]
    garbage = mel.masked_fill(~mask, 99.0)
    with torch.no_grad():
        alone, together = net(mel[:1, :, :13]), net(garbage, mask)
    torch.testing.assert_close(together[:1, : 13 * MEL.hop], alone, atol=1e-5, rtol=1e-5)
    assert not together[0, 13 * MEL.hop :].any()


def test_half_precision_training() -> None:
    model, wave = tiny_vocos(), torch.from_numpy(tone(0.5)).unsqueeze(0)
    exact = log_mel(wave, MEL)
    with torch.autocast("cpu", torch.bfloat16):
        mel = log_mel(wave, MEL)
        made = model(mel)
        loss = mel_distance(made, wave[:, : made.shape[1]], MEL)
    loss.backward()
    torch.testing.assert_close(mel, exact)
    assert made.dtype == torch.float32
    assert all(weight.grad is not None for weight in model.parameters())


def test_size_and_layout() -> None:
    assert abs(sum(p.numel() for p in Vocos(Mel()).parameters()) - 1.65e6) < 0.01e6
    with pytest.raises(InputError, match="center false"):
        Vocos(Mel(center=True))
