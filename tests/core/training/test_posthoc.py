"""Averages of any width after the run: exact at stored ones, near the true one elsewhere."""

import functools
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from support.exact import seeded
from support.tiny_generative import Endless, Toy, batch, trainer
from torch import Tensor

from oneleap.core.cli.average import average
from oneleap.core.errors import InputError
from oneleap.core.objectives import DiffInstruct, FlowMatching
from oneleap.core.training import model as models
from oneleap.core.training.averages import posthoc
from oneleap.core.training.averages.posthoc import Profile, coefficients, combine, correlation
from oneleap.core.training.averages.snapshots import Snapshots
from oneleap.core.training.ema import PowerEMA

widths = st.floats(0.02, 0.2)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5000), widths, st.integers(1, 5000), widths)
def test_the_inner_product_is_the_integral_of_both_profiles(
    one: int, narrow: float, two: int, wide: float
) -> None:
    a, b = Profile(one, narrow), Profile(two, wide)
    end = min(one, two)
    t = (torch.arange(50_000).double() + 0.5) / 50_000 * end
    p, q = ((x.gamma + 1) / x.updates * (t / x.updates) ** x.gamma for x in (a, b))
    assert correlation(a, b) == pytest.approx((p * q).mean().item() * end, rel=1e-4, abs=1e-12)
    assert correlation(a, b) == pytest.approx(correlation(b, a))


STORED = [Profile(t, s) for t in range(50, 1001, 50) for s in (0.05, 0.1)]


def test_a_stored_average_is_itself() -> None:
    for index, profile in enumerate(STORED):
        assert coefficients(STORED, profile).tolist() == [float(i == index) for i in range(40)]
    almost = coefficients(STORED, Profile(1000, 0.1 + 1e-9))
    torch.testing.assert_close(almost[-1], torch.tensor(1.0).double(), atol=1e-4, rtol=0)


def averaged(values: Tensor, width: float, end: int) -> Tensor:
    """The average of a width over the first steps, update by update."""
    ema, found = PowerEMA(width), torch.zeros_like(values[0])
    for step in range(end):
        found = ema.decay(step) * found + (1 - ema.decay(step)) * values[step]
    return found


@functools.cache
def kept_averages() -> tuple[Tensor, Tensor]:
    """A run that drifts by 2 and scatters, and its stored averages."""
    t = torch.arange(1000).double().unsqueeze(1)
    values = torch.sin(t / 300) + 0.1 * torch.randn(1000, 20, generator=seeded()).double()
    return values, torch.stack([averaged(values, p.sigma_rel, p.updates) for p in STORED])


def error(width: float) -> float:
    """Error of an average that is made afterwards."""
    values, kept = kept_averages()
    shares = coefficients(STORED, Profile(1000, width))
    wanted = averaged(values, width, 1000)
    return float((shares @ kept - wanted).square().mean().sqrt())


@pytest.mark.parametrize("width", [0.06, 0.08, 0.12])
def test_other_widths_are_close(width: float) -> None:
    assert error(width) < 1e-3


def test_mutants_are_far(monkeypatch: pytest.MonkeyPatch) -> None:
    real = correlation

    def swapped(a: Profile, b: Profile) -> float:
        return real(Profile(a.updates, b.sigma_rel), Profile(b.updates, a.sigma_rel))

    monkeypatch.setattr(posthoc, "correlation", swapped)
    assert error(0.08) > 3e-3
    monkeypatch.setattr(posthoc, "correlation", lambda a, b: real(a, b) * b.updates)
    assert error(0.08) > 3e-3


def fit(
    model: Toy, steps: int, folder: Path, callback: Snapshots, resume: str | None = None
) -> Any:
    run = trainer(steps, callbacks=[callback], default_root_dir=folder)
    module = model.lightning_module()
    run.fit(module, Endless(batch()), ckpt_path=resume, weights_only=resume and True)
    return run


def test_a_run_stores_averages_and_the_command_combines_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Toy(FlowMatching(), ema=PowerEMA(0.08))
    fit(model, 60, tmp_path, Snapshots(every_n_steps=10))
    assert len(list((tmp_path / "averages").glob("*.safetensors"))) == 12
    made = combine(tmp_path / "averages", 0.08)
    for name, weight in model.average.named_parameters():
        torch.testing.assert_close(made[name], weight, atol=2e-3, rtol=0.02)
    monkeypatch.setattr(Toy, "save_pretrained", lambda self, folder: None)  # it has no config
    monkeypatch.setattr("oneleap.core.cli.average.load_pretrained", lambda path: model)
    average(tmp_path, 0.1)
    assert "model-0.1, from 12 averages" in capsys.readouterr().out
    for name, weight in model.average.named_parameters():
        assert torch.equal(weight, combine(tmp_path / "averages", 0.1)[name])


def test_a_resumed_run_stores_the_same(tmp_path: Path) -> None:
    fit(Toy(FlowMatching()), 6, tmp_path / "whole", Snapshots())
    half = fit(Toy(FlowMatching()), 3, tmp_path / "half", Snapshots())
    half.save_checkpoint(tmp_path / "half.ckpt")
    fit(Toy(FlowMatching()), 6, tmp_path / "rest", Snapshots(), str(tmp_path / "half.ckpt"))
    one, two = (combine(tmp_path / name / "averages", 0.05) for name in ("whole", "rest"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    names = [p.name for p in sorted((tmp_path / "rest" / "averages").iterdir())]
    assert names == ["00000006-0.05.safetensors", "00000006-0.1.safetensors"]


def test_time_counts_the_generators_updates_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = Toy(FlowMatching(), seed=5)
    monkeypatch.setattr(models, "load_pretrained", lambda path: teacher)
    callback = Snapshots()
    fit(Toy(DiffInstruct(ratio=3), teacher="folder"), 7, tmp_path, callback)
    assert callback.updates == 2


def test_what_cannot_be_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="different widths"):
        Snapshots((0.1, 0.1))
    with pytest.raises(InputError, match="every_n_steps must be positive"):
        Snapshots(every_n_steps=0)
    with pytest.raises(InputError, match="has no folder 'averages'"):
        average(tmp_path)
    (tmp_path / "averages").mkdir()
    with pytest.raises(InputError, match="no averages are stored"):
        combine(tmp_path / "averages", 0.1)
