"""Training of source-filter vocoders: the distance of parts, degraded inputs, whole runs."""

import math
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from support.exact import seeded
from support.tiny_audio import MEL, RATE, write_parts, write_recordings

from oneleap.core.hub.pretrained import load_pretrained
from oneleap.domains.audio import SourceFilterVocoder
from oneleap.domains.audio.data.source_filter import SourceFilterClip
from oneleap.domains.audio.vocoders.degrade import NOISE, degrade
from oneleap.domains.audio.vocoders.source_filter_training import (
    SourceFilterTraining,
    parts_distance,
)
from oneleap.domains.audio.vocoders.training import VocoderTraining
from oneleap.domains.main import main

BINS = MEL.n_fft // 2 + 1


def test_distance_of_parts_in_closed_form() -> None:
    known = torch.zeros(1, 3, 5, BINS)
    known[:, :, 3] = -100.0  # the remainder has no power
    assert all(float(d) == 0 for d in parts_distance(known, known).values())
    other = known.clone()
    other[:, :, 0] += 0.5
    other[:, :, 2] = -50.0  # counts as -9
    other[:, :, 3] = -10.0  # both count as -9
    other[:, :, 1] = math.pi
    other[:, :, 4] = math.pi  # of a remainder without power
    found = {name: float(d) for name, d in parts_distance(other, known).items()}
    silent = math.exp(-18)
    harmonic_share = 1 / (2 + silent + 1e-6)
    phases = 2 * harmonic_share + 2 * silent * harmonic_share
    assert found == pytest.approx(
        {"harmonic": 0.5, "noise": 9.0, "rest": 0.0, "phases": phases}, abs=1e-5
    )
    turned = known.clone()
    turned[:, :, 1] = 2 * math.pi
    assert float(parts_distance(turned, known)["phases"]) < 1e-5


def test_a_share_of_the_spectrograms_is_degraded() -> None:
    mel = torch.randn(400, 10, 12, generator=seeded(0))
    worse = degrade(mel, 0.5, 2.0, seeded(1))
    changed = (worse != mel).flatten(1).any(1)
    assert 150 < changed.sum() < 250
    assert torch.equal(degrade(mel, 0.0, 2.0, seeded(1)), mel)
    assert torch.equal(worse, degrade(mel, 0.5, 2.0, seeded(1)))
    flat = torch.full((200, 10, 12), 3.0)
    noise = degrade(flat, 1.0, 2.0, seeded(2)) - 3
    assert 0 < noise.std() < NOISE / 2  # blur leaves a constant as it is


@pytest.mark.parametrize("parts", [True, False])
def test_samples_count_from_a_step_on_or_without_parts(
    parts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = SourceFilterTraining(MEL, width=8, hidden=8, depth=1, wave_start_step=5)
    logged: list[dict[str, torch.Tensor]] = []
    monkeypatch.setattr(model, "check_and_log", lambda loss, logs: logged.append(logs))
    clip = SourceFilterClip(
        0.1 * torch.randn(2, 8 * MEL.hop, generator=seeded(0)),
        torch.full((2, 8), 150.0),
        torch.zeros(2, 8, 5, BINS) if parts else None,
    )
    for step in (4, 5):
        monkeypatch.setattr(model, "_trainer", SimpleNamespace(global_step=step, global_rank=0))
        first, again = model.training_step(clip, 0), model.training_step(clip, 0)
        assert torch.equal(first, again)  # a function of seed and step
        assert ("mel" in logged[-1]) == (step == 5 or not parts)
        assert ("harmonic" in logged[-1]) == parts
        first.backward()


def test_defaults_of_feature_matching() -> None:
    assert VocoderTraining(MEL, width=8, hidden=8, depth=1).feature_matching == "mean"
    assert SourceFilterTraining(MEL, width=8, hidden=8, depth=1).feature_matching == "sum"


@pytest.mark.parametrize("parts", [True, False])
def test_a_run_saves_a_vocoder(
    parts: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (write_parts if parts else write_recordings)(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(f"""# The smallest source-filter vocoder.
model:
  class_path: oneleap.domains.audio.SourceFilterTraining
  init_args:
    {{width: 8, hidden: 8, depth: 1, periods: [2], period_width: 32, windows: [256],
      window_width: 2, gan_start_step: 2}}
data:
  class_path: oneleap.domains.audio.SourceFilterData
  init_args:
    path: [wavs]
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
    assert isinstance(model, SourceFilterVocoder)
    assert model.spec == MEL
    header = set(Path("run/metrics.csv").read_text().splitlines()[0].split(","))
    assert {"val/mel", "train/harmonic" if parts else "train/window_features"} <= header
    assert ("train/mel" in header) == (not parts)
