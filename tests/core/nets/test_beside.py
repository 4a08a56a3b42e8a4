"""The log-variance of a loss: where it converges, and that no mean moves."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from support.exact import seeded
from torch import Tensor

from oneleap.core.losses.metrics import AdaptiveSquaredError
from oneleap.core.nets.beside import log_variance as log_variance_file
from oneleap.core.nets.beside.log_variance import LogVariance
from oneleap.core.nets.low_rank import adapt, load_plain, plain_weights
from oneleap.core.nets.mlp import MLP


def test_it_starts_as_the_loss_itself() -> None:
    loss, t = torch.rand(8, generator=seeded()), torch.linspace(0, 1, 8)
    assert torch.equal(LogVariance().weigh(loss, 0 * t, t), loss)


def test_a_constant_loss_has_its_logarithm_and_a_weighted_loss_of_one_plus_it() -> None:
    module, t = LogVariance(8), torch.linspace(0, 1, 16)
    loss = torch.full((16,), 3.0)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.02)
    for _ in range(1500):
        optimizer.zero_grad()
        module.weigh(loss, 0 * t, t).mean().backward()
        optimizer.step()
    wanted = torch.full((16,), 3.0).log()
    torch.testing.assert_close(module(0 * t, t), wanted, atol=0.03, rtol=0)
    found = module.weigh(loss, 0 * t, t)
    torch.testing.assert_close(found, 1 + wanted, atol=0.03, rtol=0)


def test_each_pair_of_times_gets_the_logarithm_of_its_own_loss() -> None:
    """The weighted loss is convex in the linear map, so its minimum is found to many digits."""
    r, t = torch.cartesian_prod(*2 * [torch.arange(4).double() / 4]).unbind(1)
    loss = 0.1 + 2 * r + t**2  # from 0.1 to 2.2
    module = LogVariance().double()
    optimizer = torch.optim.LBFGS(
        module.parameters(), max_iter=200, tolerance_grad=1e-9, line_search_fn="strong_wolfe"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        total = module.weigh(loss, r, t).mean()
        total.backward()
        return total

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    torch.testing.assert_close(module(r, t), loss.log(), atol=1e-4, rtol=0)
    scale = torch.ones_like(loss).requires_grad_()
    (slope,) = torch.autograd.grad(module.weigh(scale * loss, r, t).sum(), scale)
    torch.testing.assert_close(slope, torch.ones_like(slope), atol=1e-4, rtol=0)  # alike


WEIGH, FORWARD = LogVariance.weigh, LogVariance.forward


def without(*names: str) -> SimpleNamespace:
    """torch as the file sees it, with functions that leave their argument as it is."""
    return SimpleNamespace(**{**vars(torch), **dict.fromkeys(names, lambda x: x)})


@pytest.mark.parametrize(
    ("where", "name", "mutant"),
    [
        (LogVariance, "weigh", lambda self, loss, r, t: WEIGH(self, loss, r, t) - self(r, t)),
        (LogVariance, "weigh", lambda self, loss, r, t: WEIGH(self, loss, r, t) + self(r, t)),
        (LogVariance, "weigh", lambda self, loss, r, t: WEIGH(self, loss.log(), r, t)),
        (LogVariance, "forward", lambda self, r, t: FORWARD(self, r, t).detach()),
        (LogVariance, "forward", lambda self, r, t: FORWARD(self, t, t)),
        (LogVariance, "forward", lambda self, r, t: FORWARD(self, r, r)),
        (
            LogVariance,
            "forward",
            lambda self, r, t: FORWARD(self, r, 0 * t) + FORWARD(self, 0 * r, t),
        ),
        (
            log_variance_file,
            "torch",
            SimpleNamespace(**{**vars(torch), "exp": lambda x: (-x).exp()}),
        ),
        (log_variance_file, "torch", without("exp")),
    ],
    ids=[
        "no-penalty",
        "penalty-twice",
        "logarithm",
        "constant",
        "r",
        "t",
        "blind-to-the-gap",
        "sign",
        "no-exp",
    ],
)
def test_a_mutant_of_the_log_variance_is_seen(
    monkeypatch: pytest.MonkeyPatch, where: Any, name: str, mutant: Any
) -> None:
    monkeypatch.setattr(where, name, mutant)
    with pytest.raises((AssertionError, RuntimeError)):
        test_each_pair_of_times_gets_the_logarithm_of_its_own_loss()


def minimizer(adaptive: bool) -> float:
    """Best constant prediction of a target that is 1 with probability 0.2, else 0."""
    target = (torch.arange(1000) < 200).double().unsqueeze(1)
    times = torch.full((1000,), 0.5)
    mean = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)
    module = LogVariance(8).double()
    optimizer = torch.optim.Adam([mean, *module.parameters()], lr=0.02)
    metric = AdaptiveSquaredError()
    for _ in range(400):
        optimizer.zero_grad()
        prediction: Tensor = mean.expand(1000, 1)
        if adaptive:
            loss = metric(prediction, target)
        else:
            loss = module.weigh((prediction - target).square().mean(1), times, times)
        loss.mean().backward()
        optimizer.step()
    return mean.item()


def test_a_skewed_target_keeps_its_mean_which_adaptive_weights_move() -> None:
    assert minimizer(adaptive=False) == pytest.approx(0.2, abs=0.005)
    assert minimizer(adaptive=True) < 0.05


def test_plain_weights_are_those_of_the_network_that_computes_the_same() -> None:
    torch.manual_seed(0)
    adapted, plain = MLP(3, width=16), MLP(3, width=16)
    assert set(plain_weights(plain)) == set(dict(plain.named_parameters()))
    adapt(adapted, 2)
    for name, weight in adapted.named_parameters():
        if name.endswith(".up"):
            weight.data.normal_(generator=seeded(1))
    load_plain(plain, plain_weights(adapted))
    z, t = torch.randn(4, 3, generator=seeded()), torch.full((4,), 0.5)
    torch.testing.assert_close(plain(z, t, t), adapted(z, t, t))
