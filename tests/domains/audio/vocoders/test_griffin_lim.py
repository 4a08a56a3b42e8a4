"""Griffin-Lim approximates the sound; momentum speeds it up."""

import torch
from support.tiny_audio import MEL, tone

from oneleap.domains.audio.mel import log_mel, magnitudes
from oneleap.domains.audio.stft import stft
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim


def test_griffin_lim_approximates_the_sound() -> None:
    wave = torch.from_numpy(tone(1.0))[None]
    mel = log_mel(wave, MEL)
    made = GriffinLim(MEL)(mel)
    assert made.shape[1] == mel.shape[2] * MEL.hop
    noise = log_mel(0.3 * torch.randn(wave.shape, generator=torch.Generator().manual_seed(0)), MEL)
    near, far = (x[..., 3:-3] - mel[..., 3:-3] for x in (log_mel(made, MEL), noise))
    assert near.abs().mean() < 0.25 * far.abs().mean()
    torch.testing.assert_close(made, GriffinLim(MEL)(mel))


def test_momentum_speeds_up_convergence() -> None:
    wave = torch.from_numpy(tone(1.0))[None]
    mel = log_mel(wave, MEL)

    def error(momentum: float) -> float:
        model = GriffinLim(MEL, iterations=32, momentum=momentum)
        wanted = (model.inverse @ magnitudes(mel, MEL)).clamp(min=0)
        made = stft(model(mel), MEL.n_fft, MEL.hop, MEL.window).abs()[..., : wanted.shape[-1]]
        return float((made - wanted).square().mean() / wanted.square().mean())

    assert error(0.99) < 0.7 * error(0.0)
