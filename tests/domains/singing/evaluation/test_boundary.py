"""The boundary of a shallow start follows the gap between recorded and coarse spectrograms."""

import torch
from support.exact import seeded

from oneleap.core.paths.ddpm import LinearBetas
from oneleap.domains.singing.evaluation.boundary import (
    by_classifier,
    first_indistinct,
    train_predictor,
)
from oneleap.domains.singing.models.sampling import diffsinger_schedule


def test_first_indistinct_step() -> None:
    gaps = [0.9] * 53 + [0.01] * 47
    assert first_indistinct(gaps) == 54
    gaps[70] = gaps[80] = 0.5  # two of 47 may differ
    assert first_indistinct(gaps) == 54
    assert first_indistinct([0.9] * 100) == 100
    assert LinearBetas(100, 1e-4, 0.06) == diffsinger_schedule()


def test_the_boundary_grows_with_the_gap() -> None:
    """Coarser spectrograms can be told apart at more steps."""
    g = seeded(5)
    schedule, found = LinearBetas(20, 1e-4, 0.3), []
    for gap in (0.2, 3.0):
        pairs = []
        for _ in range(6):
            real = torch.randn(6, 12, generator=g)
            pairs.append((real, real + gap))
        predictor = train_predictor(pairs, schedule, steps=60, crop=12, seed=0)
        found.append(by_classifier(predictor, pairs, schedule, seed=0))
    assert 1 <= found[0] < found[1] <= 20
