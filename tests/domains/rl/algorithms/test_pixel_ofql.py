"""PixelOFQL refuses what it cannot do."""

import pytest

from oneleap.core.errors import InputError
from oneleap.core.objectives import MeanFlow
from oneleap.domains.rl.algorithms.pixel_ofql import PixelOFQL
from oneleap.domains.rl.nets.config import CriticConfig
from oneleap.domains.rl.spec import Spec


def test_vectors_and_fourier_features_are_refused() -> None:
    limits = (-1.0,) * 2, (1.0,) * 2
    spec = Spec(3, 2, (0.0,) * 3, (1.0,) * 3, *limits)
    images = Spec(768, 2, (0.0,) * 768, (1.0,) * 768, *limits, image=(16, 16, 3))
    with pytest.raises(InputError, match="observations are vectors"):
        PixelOFQL(spec, MeanFlow())
    with pytest.raises(InputError, match="frequencies: PixelOFQL has none"):
        PixelOFQL(images, MeanFlow(), critic_config=CriticConfig(frequencies=4))
