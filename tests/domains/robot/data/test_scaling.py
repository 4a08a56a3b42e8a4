import pytest
import torch

from oneleap.domains.robot.data.scaling import MinMax, NoScaling, Scaling, ZScore

X = torch.tensor([[0.0, 5.0, -1.0], [4.0, 5.0001, 1.0], [2.0, 5.0, 0.0], [2.0, 5.0, -4.0]])


def scaled(scaling: Scaling) -> torch.Tensor:
    shift, scale = scaling.fit(X)
    return (X - shift) / scale


def test_the_range_becomes_minus_one_to_one() -> None:
    found = scaled(MinMax())[:, [0, 2]]
    assert found.amin(0).tolist() == [-1, -1]
    assert found.amax(0).tolist() == [1, 1]


def test_mean_and_deviation_become_zero_and_one() -> None:
    found = scaled(ZScore())[:, [0, 2]]
    torch.testing.assert_close(found.mean(0), torch.zeros(2))
    torch.testing.assert_close(found.std(0, correction=0), torch.ones(2))


def test_no_scaling_changes_nothing() -> None:
    assert torch.equal(scaled(NoScaling()), X)


@pytest.mark.parametrize("scaling", [MinMax(), ZScore()])
def test_a_constant_is_not_amplified(scaling: Scaling) -> None:
    assert scaling.fit(X)[1][1] == 1
    assert scaled(scaling)[:, 1].abs().max() < 1e-3
