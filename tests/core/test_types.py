"""Conditions follow the rows of a batch."""

import pytest
import torch
from support.exact import Gaussian, seeded
from torch import Tensor

from oneleap.core.fields.guidance import GuidedField
from oneleap.core.nets.mlp import MLP
from oneleap.core.types import Conditioned, Draw, Field, Loss, noise_like, rows

SLICES = [slice(0, 3), slice(3, None), slice(None), slice(0, 0), slice(1, 8, 2)]


def conditioned() -> Conditioned:
    torch.manual_seed(0)
    cond = torch.randn(8, 2).double(), torch.randn(8, 1).double()
    return Conditioned(MLP(3, cond_dim=3, width=8).double(), cond)


def guided() -> GuidedField:
    field = conditioned()
    null = Conditioned(field.net, tuple(torch.zeros_like(c) for c in field.cond))
    return GuidedField(field, null, 2.5)


@pytest.mark.parametrize("part", SLICES, ids=str)
@pytest.mark.parametrize(
    "field", [conditioned(), guided(), Gaussian()], ids=lambda f: type(f).__name__
)
def test_a_part_of_the_field_is_the_part_of_its_values(field: Field, part: slice) -> None:
    z = torch.randn(8, 3, generator=seeded(), dtype=torch.float64)
    r, t = torch.rand(2, 8, generator=seeded(), dtype=torch.float64).sort(0).values
    torch.testing.assert_close(rows(field, part)(z[part], r[part], t[part]), field(z, r, t)[part])


def test_without_conditions_a_network_is_called_with_three_arguments() -> None:
    def net(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        return z + (t - r).unsqueeze(1)

    z, r, t = torch.ones(2, 3), torch.zeros(2), torch.ones(2)
    assert torch.equal(Conditioned(net)(z, r, t), z + 1)


def test_dropped_rows_see_the_null_condition_and_the_others_their_own() -> None:
    field, dropped = conditioned(), torch.tensor([True, False] * 4)
    null = tuple(torch.randn(1, c.shape[1]).double() for c in field.cond)
    field = Conditioned(field.net, field.cond, null)
    bare = Conditioned(
        field.net, tuple(n.expand_as(c) for n, c in zip(null, field.cond, strict=True))
    )
    z, t = torch.randn(8, 3).double(), torch.ones(8).double()
    wanted = torch.where(dropped.unsqueeze(1), bare(z, t, t), field(z, t, t))
    for part in SLICES:  # dropping and taking rows commute
        first = rows(field.drop(dropped), part)(z[part], t[part], t[part])
        last = field.rows(part).drop(dropped[part])(z[part], t[part], t[part])
        torch.testing.assert_close(first, wanted[part])
        torch.testing.assert_close(last, wanted[part])


def test_conditions_without_a_null_cannot_be_dropped() -> None:
    with pytest.raises(ValueError, match="conditions can be dropped"):
        conditioned().drop(torch.ones(8, dtype=torch.bool))


def test_noise_follows_the_data_and_its_seed() -> None:
    x = torch.empty(3, 4, 5, dtype=torch.float64)
    noise = noise_like(x, seeded())
    assert (noise.shape, noise.dtype, noise.device) == (x.shape, x.dtype, x.device)
    assert torch.equal(noise, noise_like(x, seeded()))
    assert not torch.equal(noise, noise_like(x, seeded(1)))


def test_shapes_are_checked_while_tests_run() -> None:
    """Guards the guard: the flag in pyproject.toml turns annotations into checks."""
    with pytest.raises(TypeError, match=r"Draw|Loss"):
        Draw(torch.ones(3, 2), torch.ones(3), torch.ones(4))
    with pytest.raises(TypeError, match=r"Draw|Loss"):
        Loss(torch.ones(3, 2), {})
