"""Gaussian policies as fields, and their objectives."""

import dataclasses

import pytest
import torch
from support.exact import Gaussian as Truth
from support.tiny_rl import (
    seeded,
)
from torch import Tensor

from oneleap.core.types import TrainingBatch
from oneleap.domains.rl.nets.gaussian import (
    ActionRegression,
    GaussianField,
    GaussianLikelihood,
)


def constant(net: GaussianField, mean: Tensor) -> GaussianField:
    """The same mean for every observation."""
    with torch.no_grad():
        net.mean[-2].weight.zero_()
        net.mean[-2].bias.copy_(mean.atanh())
    return net.double()


@pytest.mark.parametrize("stochastic", [True, False])
def test_a_gaussian_policy_is_the_exact_field(stochastic: bool) -> None:
    net = constant(GaussianField(2, 3, 8, 1, stochastic), torch.tensor([0.7, -0.2]))
    if stochastic:
        with torch.no_grad():
            net.log_std.copy_(torch.tensor([0.5, 1.5]).log())
    z = torch.randn(64, 2, generator=seeded()).double()
    t = torch.rand(64, generator=seeded(1)).double() * 0.99 + 0.01
    r = t * torch.rand(64, generator=seeded(2)).double()
    u = net(z, r, t, torch.zeros(64, 3).double())
    for k, (mean, std) in enumerate(((0.7, 0.5), (-0.2, 1.5))):
        truth = Truth(mean, std if stochastic else 0.0)
        torch.testing.assert_close(u[:, k], truth(z[:, k], r, t), atol=1e-6, rtol=1e-6)


def test_the_two_objectives_are_the_likelihood_and_the_square() -> None:
    net = constant(GaussianField(2, 3, 8, 1), torch.tensor([0.7, -0.2]))
    with torch.no_grad():
        net.log_std.copy_(torch.tensor([-1.0, 0.4]))
    x = torch.randn(16, 2, generator=seeded()).double()
    s = torch.zeros(16, 3).double()
    bound = TrainingBatch(field=lambda z, r, t: net(z, r, t, s), x=x)
    square = ActionRegression()(bound).per_sample
    torch.testing.assert_close(square, (x - net.mean(s)).square().sum(1))
    found = GaussianLikelihood()(bound).per_sample
    normal = torch.distributions.Normal(net.mean(s), net.log_std.exp())
    torch.testing.assert_close(found, -normal.log_prob(x).sum(1))
    mask = torch.tensor([True, False]).expand(16, 2)
    masked = GaussianLikelihood()(dataclasses.replace(bound, mask=mask)).per_sample
    torch.testing.assert_close(masked, -normal.log_prob(x)[:, 0])
