"""Training of a vocoder: losses of a step, gradients of each side, start weights, a whole run."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from support.tiny_audio import MEL, RATE

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.training.release import save_release
from oneleap.domains.audio import Vocos
from oneleap.domains.audio.mel import log_mel
from oneleap.domains.audio.vocoders.losses import mel_distance, stft_distance
from oneleap.domains.audio.vocoders.training import VocoderTraining
from oneleap.domains.main import main


def test_the_loss_is_the_weighted_sum_of_both_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    real = 0.1 * torch.randn(2, 8 * MEL.hop, generator=torch.Generator().manual_seed(0))
    never = SimpleNamespace(global_step=0, log_every_n_steps=10**9, world_size=1)
    for mel_weight, stft_weight in ((3.0, 0.0), (0.0, 5.0), (3.0, 5.0)):
        model = VocoderTraining(
            MEL, width=8, hidden=8, depth=1, mel_weight=mel_weight, stft_weight=stft_weight
        )
        monkeypatch.setattr(model, "_trainer", never)
        fake = model.vocoder(log_mel(real, MEL))
        want = mel_weight * mel_distance(fake, real, MEL) + stft_weight * stft_distance(fake, real)
        torch.testing.assert_close(model.training_step(real, 0), want)


def test_vocoder_losses_give_discriminators_no_gradient() -> None:
    model = VocoderTraining(
        MEL, width=8, hidden=8, depth=1, periods=(2,), period_width=32, windows=(256,)
    )
    real = 0.1 * torch.randn(2, 8 * MEL.hop, generator=torch.Generator().manual_seed(0))
    fake = model.vocoder(log_mel(real, MEL))
    total, logs = model.adversarial_losses(real, fake)
    discriminators = [*model.by_period.parameters(), *model.by_window.parameters()]
    got = torch.autograd.grad(total, discriminators, retain_graph=True, allow_unused=True)
    alone = logs["period_judges"] + logs["window_judges"]
    want = torch.autograd.grad(alone, discriminators, retain_graph=True, allow_unused=True)
    for a, b in zip(got, want, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            torch.testing.assert_close(a, b)
    (pull,) = torch.autograd.grad(alone, fake, allow_unused=True, retain_graph=True)
    assert pull is None  # discriminator losses give the vocoder no gradient
    assert torch.autograd.grad(total, fake)[0].any()


def test_training_starts_from_another_vocoder(tmp_path: Path) -> None:
    source = VocoderTraining(MEL, width=8, hidden=8, depth=1, seed=3)
    source.save_pretrained(tmp_path / "source")
    start = str(tmp_path / "source")
    model = VocoderTraining(MEL, width=8, hidden=8, depth=1, init_from=start)
    for weights in (model.vocoder.state_dict(), model.average.state_dict()):
        assert all(torch.equal(weights[name], w) for name, w in source.average.state_dict().items())
    with pytest.raises(InputError, match="shape"):
        VocoderTraining(MEL, width=16, hidden=8, depth=1, init_from=start)
    with pytest.raises(InputError, match="floor"):
        VocoderTraining(replace(MEL, floor=1e-3), width=8, hidden=8, depth=1, init_from=start)


def test_training_starts_from_a_vocoder_of_8_bits(tmp_path: Path) -> None:
    source = VocoderTraining(MEL, width=32, hidden=40, depth=1, seed=3).average
    assert isinstance(source, Vocos)
    save_release(source, tmp_path, bits=8)
    model = VocoderTraining(MEL, width=32, hidden=40, depth=1, init_from=str(tmp_path))
    for name, weight in source.state_dict().items():
        gap = (model.vocoder.state_dict()[name] - weight).abs().max()
        assert gap <= weight.abs().max() / 250


def test_a_run_saves_a_vocoder(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(f"""# The smallest vocoder.
model:
  class_path: oneleap.domains.audio.VocoderTraining
  init_args:
    {{width: 8, hidden: 8, depth: 1, periods: [2], period_width: 32, windows: [256],
      gan_start_step: 2}}
data:
  class_path: oneleap.domains.audio.AudioData
  init_args:
    path: [{sounds}]
    mel: {{sample_rate: {RATE}, n_fft: 256, hop: 128, window: 256, n_mels: 10, fmax: 4000.0}}
    seconds: 0.3
    batch_size: 2
trainer:
  max_steps: 4
  log_every_n_steps: 1
  val_check_interval: 2
  check_val_every_n_epoch: null
  accelerator: cpu
""")
    assert main(["fit", "--config", "tiny.yaml", "--run", "run"]) == 0
    model = load_pretrained("run/model")
    assert isinstance(model, Vocos)
    assert model.spec == MEL
    header = Path("run/metrics.csv").read_text().splitlines()[0]
    assert {"train/mel", "val/mel", "train/period_judges"} <= set(header.split(","))
    assert (Path("run") / "checkpoints" / "best.ckpt").is_file()
