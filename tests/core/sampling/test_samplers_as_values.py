import pytest
import torch
from support.exact import Gaussian, seeded

from oneleap.core.sampling.samplers import (
    ConsistencySampler,
    DDIMSampler,
    DDPMSampler,
    DPMSolverSampler,
    EulerSampler,
    FlowMapSampler,
    Sampler,
    UniPCSampler,
)

TRUTH = Gaussian(mean=0.3, std=0.2)


class Counted:
    """A field that counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, z: torch.Tensor, r: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return TRUTH(z, r, t)


@pytest.mark.parametrize(
    ("sampler", "calls"),
    [
        (FlowMapSampler(), 1),
        (FlowMapSampler(4), 4),
        (EulerSampler(10), 10),
        (DPMSolverSampler(10), 10),
        (UniPCSampler(10), 10),
        (DDIMSampler(), 10),
        (DDPMSampler(), 100),
        (ConsistencySampler(), 1),
        (ConsistencySampler(3), 3),
    ],
    ids=repr,
)
def test_samplers_lead_to_the_data_in_as_many_calls_as_they_say(
    sampler: Sampler, calls: int
) -> None:
    field, noise = Counted(), torch.randn(4000, 1, 2, generator=seeded())
    x = sampler(field, noise, seeded(1))
    assert field.calls == calls == sampler.steps
    exact = isinstance(
        sampler, FlowMapSampler | ConsistencySampler
    )  # the others take Euler's or noisy steps
    assert x.shape == noise.shape
    assert float(x.mean()) == pytest.approx(TRUTH.mean, abs=0.02)
    assert float(x.std()) == pytest.approx(TRUTH.std, abs=0.01 if exact else 0.06)


def test_one_step_of_the_flow_map_is_exact() -> None:
    noise = torch.randn(16, 7, 4, generator=seeded()).double()
    ends = torch.zeros(16).double(), torch.ones(16).double()
    torch.testing.assert_close(FlowMapSampler()(TRUTH, noise), TRUTH.flow(noise, *ends))


def test_diffusion_is_cut_to_the_range_of_actions() -> None:
    noise = torch.randn(64, 7, 4, generator=seeded())
    wide = Gaussian(mean=1.5, std=0.1)
    for sampler in (DDIMSampler(), DDPMSampler()):
        assert sampler(wide, noise, seeded()).abs().max() <= 1 + 1e-6
    assert DDIMSampler(clip=None)(wide, noise).mean() > 1.2


def test_randomness_is_the_generators() -> None:
    noise = torch.zeros(4, 7, 4)
    for sampler, random in (
        (DDPMSampler(steps=5), True),
        (ConsistencySampler(2), True),
        (FlowMapSampler(2), False),
    ):
        one, same, other = (sampler(TRUTH, noise, seeded(seed)) for seed in (0, 0, 1))
        assert torch.equal(one, same)
        assert torch.equal(one, other) is not random
