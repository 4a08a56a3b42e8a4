import pytest
import torch
from torch import Tensor

from oneleap.domains.robot.evaluation.rank import effective_rank


@pytest.mark.parametrize("dims", [1, 2, 5])
def test_the_effective_rank_counts_directions(dims: int) -> None:
    h: Tensor = torch.zeros(12, 6)
    for k in range(dims):
        h[2 * k, k], h[2 * k + 1, k] = 1.0, -1.0
    assert effective_rank(h + 3.0) == pytest.approx(dims)


def test_equal_features_have_rank_0() -> None:
    assert effective_rank(torch.full((5, 3), 2.0)) == 0
