"""The vocoder: piece by piece as at once, padding without influence, losses, a run."""

import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from support.tiny_speech import MEL, RATE, tone, vocoder

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.domains.audio.data.datamodule import Clips, set_aside
from oneleap.domains.audio.mel import Mel, log_mel, magnitudes
from oneleap.domains.audio.stft import stft
from oneleap.domains.audio.vocoders.discriminators import Opinion, Period, Resolution
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim
from oneleap.domains.audio.vocoders.losses import (
    fooled,
    judged,
    matched,
    mel_distance,
    stft_distance,
)
from oneleap.domains.audio.vocoders.training import VocoderTraining
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.main import main


def features(n: int, rows: int = 1, seed: int = 0) -> torch.Tensor:
    return torch.randn(rows, MEL.n_mels, n, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("frames", [1, 7, 64, 200])
def test_pieces_are_the_whole(frames: int) -> None:
    net, mel = vocoder(), features(90)
    with torch.no_grad():
        whole = net(mel)
    pieces = list(net.stream(mel, frames))
    assert len(pieces) == math.ceil(90 / frames)
    torch.testing.assert_close(torch.cat(pieces, 1), whole, atol=1e-5, rtol=1e-5)


def test_the_context_is_as_long_as_is_said_and_no_longer() -> None:
    net, mel = vocoder().double(), features(60).double().requires_grad_()
    hop = MEL.hop
    wave = net(mel)
    assert wave.shape == (1, 60 * hop)
    (gradient,) = torch.autograd.grad(wave[0, 30 * hop : 31 * hop].sum(), mel)
    seen = gradient.abs().sum((0, 1)).nonzero().flatten()
    assert 30 - net.context <= seen.min()
    assert seen.max() <= 30 + net.context
    assert seen.max() - seen.min() >= 2 * net.context - 2


def test_what_stands_at_padding_has_no_influence() -> None:
    net, mel = vocoder(), features(20, rows=2)
    mask = torch.arange(20)[None, None] < torch.tensor([13, 20])[:, None, None]
    garbage = mel.masked_fill(~mask, 99.0)
    with torch.no_grad():
        alone, together = net(mel[:1, :, :13]), net(garbage, mask)
    torch.testing.assert_close(together[:1, : 13 * MEL.hop], alone, atol=1e-5, rtol=1e-5)
    assert not together[0, 13 * MEL.hop :].any()


def test_it_trains_in_half_precision() -> None:
    model, wave = vocoder(), torch.from_numpy(tone(0.5)).unsqueeze(0)
    exact = log_mel(wave, MEL)
    with torch.autocast("cpu", torch.bfloat16):
        mel = log_mel(wave, MEL)
        made = model(mel)
        loss = mel_distance(made, wave[:, : made.shape[1]], MEL)
    loss.backward()
    torch.testing.assert_close(mel, exact)
    assert made.dtype == torch.float32
    assert all(weight.grad is not None for weight in model.parameters())


def test_sizes_and_layouts() -> None:
    assert abs(sum(p.numel() for p in Vocos(Mel()).parameters()) - 1.65e6) < 0.01e6
    with pytest.raises(InputError, match="center false"):
        Vocos(Mel(center=True))


def test_griffin_lim_is_near() -> None:
    wave = torch.from_numpy(tone(1.0))[None]
    mel = log_mel(wave, MEL)
    made = GriffinLim(MEL)(mel)
    assert made.shape[1] == mel.shape[2] * MEL.hop
    noise = log_mel(0.3 * torch.randn(wave.shape, generator=torch.Generator().manual_seed(0)), MEL)
    near, far = (x[..., 3:-3] - mel[..., 3:-3] for x in (log_mel(made, MEL), noise))
    assert near.abs().mean() < 0.25 * far.abs().mean()
    torch.testing.assert_close(made, GriffinLim(MEL)(mel))


def test_momentum_makes_griffin_lim_agree_sooner() -> None:
    wave = torch.from_numpy(tone(1.0))[None]
    mel = log_mel(wave, MEL)

    def error(momentum: float) -> float:
        model = GriffinLim(MEL, iterations=32, momentum=momentum)
        wanted = (model.inverse @ magnitudes(mel, MEL)).clamp(min=0)
        made = stft(model(mel), MEL.n_fft, MEL.hop, MEL.window).abs()[..., : wanted.shape[-1]]
        return float((made - wanted).square().mean() / wanted.square().mean())

    assert error(0.99) < 0.7 * error(0.0)


def test_distances_are_zero_for_equals_and_grow_with_the_error() -> None:
    g = torch.Generator().manual_seed(0)
    wave, e = torch.randn(2, 4096, generator=g), torch.randn(2, 4096, generator=g)
    for distance in (lambda x: mel_distance(x, wave, MEL), lambda x: stft_distance(x, wave)):
        assert float(distance(wave)) == 0
        assert 0 < float(distance(wave + 0.1 * e)) < float(distance(wave + e))


def test_spectral_distance_in_closed_form() -> None:
    wave = torch.randn(2, 4096, generator=torch.Generator().manual_seed(0))
    assert float(stft_distance(2 * wave, wave)) == pytest.approx(1 + math.log(2), rel=1e-4)
    silence, hum = torch.zeros(2, 4096), 1e-9 * wave
    assert float(stft_distance(hum, hum / 2)) < 1e-2 * float(stft_distance(hum * 1e6, hum))
    assert float(stft_distance(silence, silence)) == 0


def test_the_loss_of_a_step_weighs_both_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    real = 0.1 * torch.randn(2, 8 * MEL.hop, generator=torch.Generator().manual_seed(0))
    never = SimpleNamespace(global_step=0, log_every_n_steps=10**9)
    for mel_weight, stft_weight in ((3.0, 0.0), (0.0, 5.0), (3.0, 5.0)):
        model = VocoderTraining(
            MEL, width=8, hidden=8, depth=1, mel_weight=mel_weight, stft_weight=stft_weight
        )
        monkeypatch.setattr(model, "_trainer", never)
        fake = model.vocoder(log_mel(real, MEL))
        want = mel_weight * mel_distance(fake, real, MEL) + stft_weight * stft_distance(fake, real)
        torch.testing.assert_close(model.training_step(real, 0), want)


def test_losses_of_the_game_in_closed_form() -> None:
    def says(score: float, feature: float) -> list[Opinion]:
        return [Opinion(torch.full((2, 3), 1.0 * score), [torch.full((2, 3), 1.0 * feature)])]

    assert float(judged(says(1.5, 0), says(-2, 0))) == 0
    assert float(judged(says(0.5, 0), says(0.25, 0))) == 0.5 + 1.25
    assert float(fooled(says(0.25, 0))) == 0.75
    assert float(matched(says(0, 1), says(0, 3))) == 2


def test_the_vocoders_side_does_not_teach_the_judges() -> None:
    model = VocoderTraining(
        MEL, width=8, hidden=8, depth=1, periods=(2,), period_width=32, windows=(256,)
    )
    real = 0.1 * torch.randn(2, 8 * MEL.hop, generator=torch.Generator().manual_seed(0))
    fake = model.vocoder(log_mel(real, MEL))
    total, logs = model.game(real, fake)
    judges = [*model.by_period.parameters(), *model.by_window.parameters()]
    got = torch.autograd.grad(total, judges, retain_graph=True, allow_unused=True)
    alone = logs["period_judges"] + logs["window_judges"]
    want = torch.autograd.grad(alone, judges, retain_graph=True, allow_unused=True)
    for a, b in zip(got, want, strict=True):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            torch.testing.assert_close(a, b)
    (pull,) = torch.autograd.grad(alone, fake, allow_unused=True, retain_graph=True)
    assert pull is None  # nor do the judges' losses teach the vocoder
    assert torch.autograd.grad(total, fake)[0].any()


def test_a_training_goes_on_from_a_vocoder(tmp_path: Path) -> None:
    begun = VocoderTraining(MEL, width=8, hidden=8, depth=1, seed=3)
    begun.save_pretrained(tmp_path / "begun")
    start = str(tmp_path / "begun")
    model = VocoderTraining(MEL, width=8, hidden=8, depth=1, start=start)
    for weights in (model.vocoder.state_dict(), model.average.state_dict()):
        assert all(torch.equal(weights[name], w) for name, w in begun.average.state_dict().items())
    with pytest.raises(InputError, match="size"):
        VocoderTraining(MEL, width=16, hidden=8, depth=1, start=start)
    with pytest.raises(InputError, match="floor"):
        VocoderTraining(replace(MEL, floor=1e-3), width=8, hidden=8, depth=1, start=start)


@pytest.mark.parametrize("n", [700, 1001])
def test_judges_take_any_length(n: int) -> None:
    wave = torch.randn(2, n, generator=torch.Generator().manual_seed(0))
    for judges, count in ((Period((2, 3, 7), 32), 3), (Resolution((512, 256), 4), 2)):
        opinions = judges(wave)
        assert len(opinions) == count
        assert all(o.score.shape[0] == 2 and len(o.features) >= 4 for o in opinions)


def test_loudness_is_no_clue() -> None:
    judge, wave = Resolution((256,), 4), torch.randn(1, 900)
    a, b = (judge(x)[0].score for x in (wave, 0.1 * wave + 0.3))
    torch.testing.assert_close(a, b, atol=1e-4, rtol=1e-3)


def test_a_run_ends_in_a_vocoder(
    sounds: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(f"""# A vocoder of a few weights.
model:
  class_path: oneleap.domains.audio.vocoders.training.VocoderTraining
  init_args:
    {{width: 8, hidden: 8, depth: 1, periods: [2], period_width: 32, windows: [256], gan_from: 2}}
data:
  class_path: oneleap.domains.audio.data.datamodule.Clips
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


def test_pieces_are_a_function_of_seed_and_step(sounds: Path) -> None:
    def batches(seed: int) -> list[torch.Tensor]:
        data = Clips((str(sounds),), mel=MEL, seconds=0.2, batch_size=3, seed=seed)
        return [b for b, _ in zip(data.train_dataloader(), range(2), strict=False)]

    first, again, other = batches(0), batches(0), batches(1)
    assert first[0].shape == (3, 12 * MEL.hop)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], other[0])


def test_gain_is_in_decibels(sounds: Path) -> None:
    def batch(gain_db: tuple[float, float]) -> torch.Tensor:
        data = Clips((str(sounds),), mel=MEL, seconds=0.2, batch_size=3, gain_db=gain_db)
        return data.batch(torch.Generator().manual_seed(0))

    torch.testing.assert_close(batch((-20.0, -20.0)), 0.1 * batch((0.0, 0.0)))
    between = batch((-20.0, 0.0)).abs().amax(1) / batch((0.0, 0.0)).abs().amax(1)
    assert ((between > 0.1) & (between < 1)).all()
    assert len(between.unique()) == 3


def test_some_files_are_set_aside() -> None:
    assert set_aside(100, 0.02, 0) == set_aside(100, 0.02, 0)
    assert len(set_aside(100, 0.02, 0)) == 2
    assert len(set_aside(2, 0.01, 5)) == 1
    assert set_aside(1, 0.5, 0) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size: 0"),
        ({"validation": 1.0}, "a share between 0 and 1"),
        ({"seconds": 0.001}, "less than a frame"),
    ],
)
def test_bad_settings_are_told(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Clips(("x",), mel=MEL, **arguments)
