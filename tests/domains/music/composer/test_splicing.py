"""Joining of samples: fades, splices, patches and loops."""

import numpy as np
import pytest
import torch
from support import tiny_music
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.music.composer.splicing import (
    equal_power_fades,
    patch_gap,
    splice,
    vocode_loop,
)

RATE, MEL = tiny_music.RATE, tiny_music.MEL


def test_fades_keep_the_power() -> None:
    down, up = equal_power_fades(100)
    np.testing.assert_allclose(down**2 + up**2, 1, atol=1e-6)
    assert down[0] > 0.99 > 0.02 > up[0]


def test_splicing_and_patching() -> None:
    before, whole = np.ones(100, np.float32), np.full(150, 2, np.float32)
    found = splice(before, whole, 20)
    assert len(found) == 150
    assert (found[:80] == 1).all()
    assert (found[100:] == 2).all()
    with pytest.raises(InputError):
        splice(whole, before, 20)
    kept = patch_gap(whole, np.zeros(60, np.float32), 50, (70, 90), fade=10)
    assert (kept[70:90] == 0).all()
    assert (kept[:60] == 2).all()
    assert (kept[100:] == 2).all()
    assert (np.diff(kept[59:71]) <= 0).all()


def test_the_vocoder_of_a_loop_gets_the_other_end_as_context() -> None:
    inputs = list[Tensor]()

    def vocode(mel: Tensor) -> Tensor:
        inputs.append(mel)
        return mel.mean(1).repeat_interleave(MEL.hop, 1)

    mel = torch.arange(70.0).reshape(1, 1, 70)
    samples = vocode_loop(vocode, mel, MEL)
    assert samples[:: MEL.hop].tolist() == list(range(70))
    assert inputs[0][0, 0, :65].tolist() == [*range(6, 70), 0]
