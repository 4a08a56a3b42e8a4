"""The source-filter vocoder: its three parts in closed form, chunks, padding, no buzz."""

import math
from pathlib import Path

import pytest
import torch
from support.exact import seeded
from support.tiny_audio import HOP, MEL, RATE, tiny_source_filter, tone

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.domains.audio.evaluation.lines import frame_line_db
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.stft import stft
from oneleap.domains.audio.vocoders.harmonics import harmonic_source
from oneleap.domains.audio.vocoders.source_filter import PARTS, SourceFilterVocoder

BINS = MEL.n_fft // 2 + 1
SILENT = -60.0


def silent_parts(n: int) -> torch.Tensor:
    parts = torch.zeros(1, n, PARTS, BINS)
    parts[:, :, [0, 2, 3]] = SILENT
    return parts


def inside(wave: torch.Tensor) -> torch.Tensor:
    """Samples that no end of the sound touches."""
    return wave[..., MEL.n_fft : -MEL.n_fft]


def test_the_remainder_is_an_inverse_transform() -> None:
    wave = torch.from_numpy(tone(0.4))[: 24 * HOP].unsqueeze(0)
    spectrum = stft(wave, MEL.n_fft, HOP, MEL.window).mT
    parts = silent_parts(24)
    parts[:, :, 3], parts[:, :, 4] = spectrum.abs().clamp(min=1e-9).log(), spectrum.angle()
    made = tiny_source_filter().filter(parts, torch.zeros_like(wave), torch.zeros_like(wave))
    torch.testing.assert_close(inside(made), inside(wave), atol=1e-5, rtol=0)


def test_the_harmonic_part_scales_and_turns_the_pulses() -> None:
    model, f0 = tiny_source_filter(), torch.full((1, 40), 200.0)
    pulses = harmonic_source(f0, MEL)
    parts, silence = silent_parts(40), torch.zeros_like(pulses)
    parts[:, :, 0] = math.log(3.0)
    made = model.filter(parts, pulses, silence)
    # A cosine of amplitude 1 has the magnitude window / 4 at its peak, which counts as 1 here.
    torch.testing.assert_close(inside(made), inside(3 * 4 / MEL.window * pulses), atol=1e-5, rtol=0)
    parts[:, :, 1] = math.pi
    torch.testing.assert_close(model.filter(parts, pulses, silence), -made, atol=1e-6, rtol=0)


def test_the_noise_part_is_as_loud_as_normal_spectra() -> None:
    model, n = tiny_source_filter(), 4000
    parts = silent_parts(n)
    parts[:, :, 2] = math.log(0.5)
    silence, noise = torch.zeros(1, n * HOP), torch.randn(1, n * HOP, generator=seeded(0))
    made = model.filter(parts, silence, noise).std()
    assert made == pytest.approx(0.5 * model.noise_std, rel=0.02)
    spectrum = torch.randn(1, BINS, n, 2, generator=seeded(1))
    window = torch.hann_window(MEL.window)
    frames = torch.fft.irfft(torch.view_as_complex(spectrum), dim=1) * window[:, None]
    length = (n - 1) * HOP + MEL.n_fft
    wave = torch.nn.functional.fold(frames, (1, length), (1, MEL.n_fft), stride=(1, HOP))
    overlap = window.square().sum() / HOP
    assert inside(wave / overlap).std() == pytest.approx(2 * float(made), rel=0.1)


def test_output_has_the_given_pitch() -> None:
    model, mel = tiny_source_filter(), torch.randn(1, 10, 1, generator=seeded(0)).expand(1, 10, 60)
    for hz in (200.0, 300.0):
        f0 = torch.full((1, 60), hz)
        parts = model.parts(mel, f0)
        parts[:, :, 0] += 6.0
        parts[:, :, [2, 3]] = SILENT
        pulses = harmonic_source(f0, MEL)
        wave = model.filter(parts, pulses, torch.zeros_like(pulses))[0, 2000:-2000].detach()
        power = torch.fft.rfft(wave * torch.hann_window(len(wave))).abs().square()
        at = torch.arange(len(power)) * RATE / len(wave)
        near = ((at / hz) - (at / hz).round()).abs() * hz < 10
        assert power[near].sum() > 0.97 * power.sum()


def test_noise_is_a_function_of_the_generator() -> None:
    model, mel, f0 = tiny_source_filter(), torch.zeros(2, 10, 9), torch.full((2, 9), 150.0)
    a, b = (model(mel, f0, generator=seeded(1)) for _ in range(2))
    assert a.shape == (2, 9 * HOP)
    assert torch.equal(a, b)
    assert not torch.equal(a, model(mel, f0, generator=seeded(2)))
    noise = torch.randn(a.shape, generator=seeded(1))
    assert torch.equal(a, model(mel, f0, noise=noise))


@pytest.mark.parametrize("frames", [1, 7, 64])
def test_chunked_synthesis_equals_one_call(frames: int) -> None:
    model, mel = tiny_source_filter(), torch.randn(1, 10, 50, generator=seeded(0))
    f0 = torch.where(torch.arange(50) % 9 < 6, 180.0, 0.0).unsqueeze(0)
    with torch.no_grad():
        whole = model(mel, f0, generator=seeded(3))
    chunks = list(model.stream(mel, f0, frames, generator=seeded(3)))
    assert len(chunks) == math.ceil(50 / frames)
    torch.testing.assert_close(torch.cat(chunks, 1), whole, atol=1e-5, rtol=1e-4)


def test_padding_has_no_influence() -> None:
    model, mel = tiny_source_filter(), torch.randn(2, 10, 20, generator=seeded(0))
    f0, noise = torch.full((2, 20), 150.0), torch.randn(2, 20 * HOP, generator=seeded(1))
    mask = torch.arange(20)[None, None] < torch.tensor([13, 20])[:, None, None]
    with torch.no_grad():
        alone = model(mel[:1, :, :13], f0[:1, :13], noise=noise[:1, : 13 * HOP])
        garbage = mel.masked_fill(~mask, 99.0)
        together = model(garbage, f0.masked_fill(~mask[:, 0], 150.0), mask, noise)
    torch.testing.assert_close(together[:1, : 13 * HOP], alone, atol=1e-5, rtol=1e-4)
    assert not together[0, 13 * HOP :].any()


@pytest.mark.parametrize("remainder_hz", [4000.0, 12_000.0])
def test_hissing_sounds_have_no_lines_at_the_frame_rate(remainder_hz: float) -> None:
    spec = Mel(24_000, 1200, 300, 1200, 100, fmax=12_000.0, mean=-6.0, std=2.8)
    torch.manual_seed(0)
    model = SourceFilterVocoder(spec, 32, 32, 2, remainder_hz)
    model.outward.bias.data.view(PARTS, -1)[3] = 4.0  # a remainder that repeats is loud
    n = 500
    hiss = 0.1 * torch.randn(1, n * spec.hop, generator=seeded(0))
    with torch.no_grad():
        mel = log_mel(hiss, spec)
        made = model(mel, torch.zeros(1, n), generator=seeded(1))
        assert frame_line_db(made[0].numpy(), 24_000, spec.hop) < 2.0
        # Breathy voice: pulses of 190 Hz have no line at multiples of 80 Hz.
        voiced = model(mel, torch.full((1, n), 190.0), generator=seeded(1))
    level = frame_line_db(voiced[0].numpy(), 24_000, spec.hop)
    assert level < 2.0 if remainder_hz == 4000 else level > 4.0


def test_a_remainder_is_absorbed_by_noise_of_equal_power() -> None:
    model = SourceFilterVocoder(MEL, 8, 8, 1, remainder_hz=1000.0)
    parts = torch.randn(1, 3, PARTS, BINS, generator=seeded(0))
    f0 = torch.tensor([[150.0, 0.0, 150.0]])
    kept = model.has_remainder(f0)[0]
    assert kept[[0, 2], :32].all()  # bins of 31.25 Hz below 1000 Hz
    assert not kept[1].any()
    assert not kept[:, 32:].any()
    found = model.absorb_remainder(parts, f0)
    assert torch.equal(found[:, :, [0, 1, 4]], parts[:, :, [0, 1, 4]])
    assert torch.equal(found[0, :, 2:4].mT[kept], parts[0, :, 2:4].mT[kept])
    power, before = (2 * found[0, :, 2]).exp(), (2 * parts[0, :, 2:4]).exp().sum(1)
    torch.testing.assert_close(power[~kept], before[~kept])
    assert (found[0, :, 3][~kept] == -20).all()
    assert (model.parts(torch.zeros(1, 10, 3), f0)[0, :, 3][~kept] == -20).all()


def test_saving_loading_and_sizes(tmp_path: Path) -> None:
    model = tiny_source_filter()
    model.save_pretrained(tmp_path)
    again = load_pretrained(tmp_path)
    assert isinstance(again, SourceFilterVocoder)
    assert (again.spec, again.width, again.hidden, again.depth) == (MEL, 8, 8, 1)
    assert again.remainder_hz == 4000
    mel, f0 = torch.randn(1, 10, 4), torch.full((1, 4), 150.0)
    assert torch.equal(model(mel, f0, generator=seeded(0)), again(mel, f0, generator=seeded(0)))
    with pytest.raises(InputError, match=r"mel\.center false"):
        SourceFilterVocoder(Mel(center=True))
    large = Mel(44_100, 2048, 512, 2048, 128, fmin=40.0, fmax=16_000.0)
    wide = SourceFilterVocoder(large, width=8, hidden=8, depth=1)
    assert wide(torch.zeros(1, 128, 5), torch.full((1, 5), 200.0)).shape == (1, 5 * 512)
    speech = Mel(24_000, 1200, 300, 1200, 100, fmax=12_000.0)
    with torch.device("meta"):
        weights = sum(p.numel() for p in SourceFilterVocoder(speech).parameters())
    assert weights == pytest.approx(4.93e6, rel=0.002)
