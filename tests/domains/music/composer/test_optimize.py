from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from oneleap.core.errors import InputError
from oneleap.core.sampling.ode import euler, sample
from oneleap.core.sampling.samplers import FlowMapSampler
from oneleap.domains.music.composer.ditto import CheckpointedSampler, invert
from oneleap.domains.music.composer.ditto2 import choose_decode_steps
from oneleap.domains.music.composer.optimize import LatentAdam, norm_penalty, optimize_noise
from oneleap.domains.music.controls.base import Control, PlotData, WeightedControl

B, MELS, N = 3, 4, 5


def noise(b: int = B, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(b, MELS, N, generator=g, dtype=dtype)


@dataclass(frozen=True, eq=False)
class Near(Control):
    """A clip near a target: a convex problem with a known solution."""

    name: ClassVar[str] = "near"
    unit: ClassVar[str] = "MSE"
    target: Tensor
    threshold: float = 0.0

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        return (mel - self.target).square().mean((1, 2))

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        return self.loss(mel)

    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        return PlotData(self.target, mel, "")


class Net(nn.Module):
    """A field whose saved activations are much larger than the state."""

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        g = torch.Generator().manual_seed(0)
        draw = lambda *shape: torch.randn(*shape, generator=g, dtype=torch.float64)  # noqa: E731
        self.a, self.b = nn.Parameter(draw(width, MELS) / 2), nn.Parameter(draw(MELS, width) / 8)
        self.requires_grad_(False)

    def forward(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        times = (t + 0.3 * r)[:, None, None]
        out: Tensor = self.b @ torch.tanh(self.a @ z + times)
        return out


def saved_bytes(run: Callable[[], Tensor]) -> int:
    """Bytes that a forward pass keeps for its backward pass, without weights."""
    kept = dict[int, int]()

    def note(x: Tensor) -> Tensor:
        if x.numel() > 64:
            kept[x.untyped_storage().data_ptr()] = x.numel() * x.element_size()
        return x

    with saved_tensors_hooks(note, lambda x: x):
        out = run()
    del out
    return sum(kept.values())


def test_adam_equals_torchs() -> None:
    x = noise()
    ours, theirs = x.clone(), nn.Parameter(x.clone())
    adam, reference = LatentAdam.of(ours, 0.1), torch.optim.Adam([theirs], lr=0.1)
    on = torch.ones(B, dtype=torch.bool)
    for k in range(5):
        gradient = noise(seed=10 + k)
        theirs.grad = gradient.clone()
        reference.step()
        ours = adam.step(ours, gradient, on)
    torch.testing.assert_close(ours, theirs.detach())


def test_adam_skips_rows() -> None:
    x, on = noise(), torch.tensor([True, False, True])
    adam = LatentAdam.of(x, 0.1)
    y = adam.step(x, noise(seed=1), on)
    assert torch.equal(y[1], x[1])
    assert not torch.equal(y[0], x[0])
    assert adam.count.flatten().tolist() == [1, 0, 1]


def test_it_solves_a_convex_problem() -> None:
    target = noise(1, seed=5)
    found = optimize_noise(
        lambda e: 2 * e, [Near(target)], noise(), steps=400, lr=0.05, norm_weight=0.0
    )
    torch.testing.assert_close(found.mel, target.expand(B, -1, -1), atol=1e-2, rtol=0)
    assert found.history["near"].shape == (401, B)
    assert (found.history["near"][-1] < 1e-3 * found.history["near"][0]).all()


def test_the_best_of_each_row_is_returned() -> None:
    seen = list[Tensor]()

    def decode(e: Tensor) -> Tensor:
        seen.append(e.detach().clone())
        return e

    control = Near(torch.zeros(1, MELS, N, dtype=torch.float64))
    found = optimize_noise(
        decode, [control], noise(), steps=12, lr=3.0, norm_weight=0.0
    )  # diverges
    losses = torch.stack([control.loss(e) for e in seen])
    assert losses[-1].gt(losses.min(0).values).any()
    torch.testing.assert_close(control.loss(found.mel), losses.min(0).values)
    assert torch.equal(found.steps, losses.argmin(0))
    torch.testing.assert_close(found.noise, found.mel)
    torch.testing.assert_close(found.metrics["near"], losses.min(0).values)


def test_a_row_stops_when_its_control_is_reached() -> None:
    start = noise()
    start[1] = 0.001
    control = Near(torch.zeros(1, MELS, N, dtype=torch.float64), threshold=0.05)
    found = optimize_noise(lambda e: e, [control], start, steps=200, lr=0.02, norm_weight=0.0)
    assert found.reached.all()
    assert found.steps[1] == 0
    assert torch.equal(found.noise[1], start[1])
    assert len(found.history["near"]) < 200
    assert (found.metrics["near"] <= 0.05).all()


def test_a_control_that_is_reached_does_not_affect_the_others() -> None:
    high = torch.ones(1, MELS, N, dtype=torch.float64)
    easy, hard = Near(0 * high, threshold=10.0), Near(high, threshold=1e-3)
    found = optimize_noise(lambda e: e, [easy, hard], noise(), steps=300, lr=0.05, norm_weight=0.0)
    assert found.reached.all()
    assert set(found.metrics) == {"near", "near 2"}
    torch.testing.assert_close(found.mel, high.expand_as(found.mel), atol=0.2, rtol=0)


def test_weights_balance_controls() -> None:
    high = torch.ones(1, MELS, N, dtype=torch.float64)
    both = [WeightedControl(Near(0 * high), 1.0), WeightedControl(Near(high), 3.0)]
    found = optimize_noise(lambda e: e, both, noise(), steps=400, lr=0.05, norm_weight=0.0)
    torch.testing.assert_close(found.mel, 0.75 * high.expand_as(found.mel), atol=0.02, rtol=0)


def test_rows_without_improvement_are_finished() -> None:
    stuck = Near(torch.zeros(1, MELS, N, dtype=torch.float64))
    found = optimize_noise(lambda e: e * 0 + 1, [stuck], noise(), steps=100, patience=7)
    assert len(found.history["near"]) == 8
    assert not found.reached.any()


def test_the_penalty_keeps_the_norm() -> None:
    far = Near(torch.full((1, MELS, N), 4.0, dtype=torch.float64))
    free = optimize_noise(lambda e: e, [far], noise(), steps=300, lr=0.1, norm_weight=0.0)
    held = optimize_noise(lambda e: e, [far], noise(), steps=300, lr=0.1, norm_weight=100.0)
    assert (free.noise.square().mean((1, 2)) > 10).all()
    assert (held.noise.square().mean((1, 2)) < 1.5).all()
    assert norm_penalty(torch.ones(1, 2, 2)).item() == 0


def test_the_best_of_several_draws_is_the_start() -> None:
    control = Near(torch.zeros(1, MELS, N, dtype=torch.float64))
    g = torch.Generator().manual_seed(3)
    found = optimize_noise(lambda e: e, [control], noise(), steps=0, candidates=50, generator=g)
    g = torch.Generator().manual_seed(3)
    more = [torch.randn(B, MELS, N, generator=g, dtype=torch.float64) for _ in range(49)]
    losses = torch.stack([control.loss(e) for e in [noise(), *more]])
    torch.testing.assert_close(found.metrics["near"], losses.min(0).values)


def test_invalid_settings_are_refused() -> None:
    control = Near(torch.zeros(1, MELS, N, dtype=torch.float64))
    for wrong in ({"steps": -1}, {"candidates": 0}, {"lr": 0.0}):
        with pytest.raises(InputError, match="steps must be at least 0"):
            optimize_noise(lambda e: e, [control], noise(), **wrong)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="at least one is needed"):
        optimize_noise(lambda e: e, [], noise())
    with pytest.raises(InputError, match="weight of near"):
        optimize_noise(lambda e: e, [WeightedControl(control, 0.0)], noise())
    with pytest.raises(InputError, match="not finite"):
        optimize_noise(lambda e: (e - 10).log(), [control], noise())


def test_a_row_without_a_finite_gradient_does_not_affect_the_others() -> None:
    broken = torch.tensor([1.0, torch.nan, 1.0], dtype=torch.float64)[:, None, None]
    control = Near(torch.zeros(1, MELS, N, dtype=torch.float64))
    found = optimize_noise(lambda e: broken * e, [control], noise(), steps=50, lr=0.05)
    assert torch.equal(found.noise[1], noise()[1])
    assert (found.metrics["near"][[0, 2]] < 0.5 * control.loss(noise())[[0, 2]]).all()


# DITTO


def test_the_sampler_is_eulers_method() -> None:
    net = Net()
    made = CheckpointedSampler(net, 7)(noise())
    torch.testing.assert_close(made, euler(net, noise(), steps=7))


def test_checkpointing_does_not_change_the_gradient() -> None:
    gradients, made = [], []
    for checkpointed in (True, False):
        e = noise().requires_grad_(True)
        sampler = CheckpointedSampler(Net(), 20, checkpointed=checkpointed)
        made.append(sampler(e))
        (gradient,) = torch.autograd.grad(made[-1].square().sum(), e)
        gradients.append(gradient)
    torch.testing.assert_close(made[0], made[1], atol=0, rtol=0)
    torch.testing.assert_close(gradients[0], gradients[1], atol=1e-5, rtol=0)
    assert gradients[0].abs().max() > 0.1


def test_memory_does_not_grow_with_the_steps() -> None:
    def cost(steps: int, checkpointed: bool) -> int:
        e = noise(32).requires_grad_(True)
        return saved_bytes(lambda: CheckpointedSampler(Net(), steps, checkpointed=checkpointed)(e))

    state = noise(32).numel() * 8
    plain = [cost(steps, False) for steps in (5, 20)]
    kept = [cost(steps, True) for steps in (5, 20)]
    assert plain[1] > 3 * plain[0] > 0  # in proportion to the steps
    assert kept[1] - kept[0] <= 15 * state  # at most one state per step
    assert kept[1] < plain[0]


def test_given_times() -> None:
    e = noise()
    given = CheckpointedSampler(Net(), 2, times=(1.0, 0.3, 0.0))(e)
    one, third = torch.ones(B, dtype=e.dtype), torch.full((B,), 0.3, dtype=e.dtype)
    z = e - 0.7 * Net()(e, one, one)
    torch.testing.assert_close(given, z - 0.3 * Net()(z, third, third))
    for steps, times in ((0, None), (2, (1.0, 0.0)), (1, (0.5, 0.0))):
        with pytest.raises(InputError):
            CheckpointedSampler(Net(), steps, times)


def test_inversion_recovers_the_noise() -> None:
    net = Net()
    made = CheckpointedSampler(net, 400)(noise())
    torch.testing.assert_close(invert(net, made, steps=400), noise(), atol=0.02, rtol=0)


# DITTO-2


def test_one_step_is_the_surrogate_bit_for_bit() -> None:
    net, e = Net(), noise()
    one, zero = torch.ones(B, dtype=e.dtype), torch.zeros(B, dtype=e.dtype)
    assert torch.equal(FlowMapSampler(1)(net, e), e - net(e, zero, one))
    assert torch.equal(FlowMapSampler(4)(net, e), sample(net, e, steps=4))
    assert torch.equal(FlowMapSampler(4)(net, e), FlowMapSampler(4)(net, e))


def test_the_largest_number_of_steps_that_keeps_the_control() -> None:
    control = Near(torch.zeros(1, MELS, N, dtype=torch.float64))
    drift = {1: 1.0, 2: 1.01, 4: 1.02, 8: 2.0}
    choice = choose_decode_steps(lambda e, m: drift[m] * e, [control], noise(), tolerance=0.1)
    assert choice.steps == 4
    torch.testing.assert_close(choice.mel, 1.02 * noise())
    assert set(choice.losses) == {1, 2, 4, 8}
    strict = choose_decode_steps(lambda e, m: drift[m] * e, [control], noise(), tolerance=0.0)
    assert strict.steps == 1
    with pytest.raises(InputError, match="steps must be at least 1"):
        choose_decode_steps(lambda e, m: e, [control], noise(), steps=())


def test_an_exact_student_and_its_teacher_find_the_same() -> None:
    scale = 0.5  # u = (1 - scale) z_1: x = scale e, whatever the steps

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return (1 - scale) * z / (scale + (1 - scale) * t)[:, None, None]

    control = Near(torch.full((1, MELS, N), 0.3, dtype=torch.float64))
    many = optimize_noise(CheckpointedSampler(field, 20), [control], noise(), steps=50)
    one = optimize_noise(lambda e: FlowMapSampler()(field, e), [control], noise(), steps=50)
    torch.testing.assert_close(many.mel, one.mel, atol=1e-9, rtol=0)
