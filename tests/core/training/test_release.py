"""Releases: fewer bits, the same weights after each way to a file and back."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import WEIGHTS, Pretrained, load_release_weights
from oneleap.core.training.release import save_release


class Layers(Pretrained, nn.Module):
    """A matrix, a kernel, a norm and a table that is no parameter."""

    def __init__(self, width: int = 40) -> None:
        super().__init__()
        self.width = width
        self.linear, self.conv = nn.Linear(width, 16), nn.Conv1d(16, 8, 5)
        self.norm = nn.LayerNorm(8)
        self.table: torch.Tensor
        self.register_buffer("table", torch.randn(4, width))


@pytest.fixture
def model() -> Layers:
    torch.manual_seed(0)
    return Layers()


def reload(folder: Path) -> Layers:
    found = Layers()
    load_release_weights(found, folder / WEIGHTS)
    return found


@pytest.mark.parametrize(("bits", "largest"), [(8, 1 / 250), (16, 2**-11), (32, 0.0)])
def test_weights_come_back_within_the_error_of_their_bits(
    bits: int, largest: float, model: Layers, tmp_path: Path
) -> None:
    save_release(model, tmp_path, bits=bits)
    for name, weight in reload(tmp_path).state_dict().items():
        was = model.state_dict()[name]
        assert weight.dtype == torch.float32
        assert (weight - was).abs().max() <= largest * was.abs().max()


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_a_release_of_a_release_has_the_same_bytes(
    bits: int, model: Layers, tmp_path: Path
) -> None:
    save_release(model, tmp_path / "a", bits=bits)
    save_release(reload(tmp_path / "a"), tmp_path / "b", bits=bits)
    assert (tmp_path / "a" / WEIGHTS).read_bytes() == (tmp_path / "b" / WEIGHTS).read_bytes()


def test_eight_bits_are_half_of_sixteen(tmp_path: Path) -> None:
    wide, sizes = Layers(2000), {}
    for bits in (8, 16, 32):
        save_release(wide, tmp_path / str(bits), bits=bits)
        file = load_file(tmp_path / str(bits) / WEIGHTS)
        sizes[bits] = sum(t.nbytes for name, t in file.items() if name != "table")
    assert 0.5 < sizes[8] / sizes[16] < 0.52
    assert sizes[16] * 2 == sizes[32]


def test_a_file_that_was_changed_is_refused_in_one_line(model: Layers, tmp_path: Path) -> None:
    save_release(model, tmp_path, bits=8)
    file = tmp_path / WEIGHTS
    good = load_file(file)
    changes = {
        "linear.weight.scale is torch.float16": {"linear.weight.scale": torch.ones(15).half()},
        "does not fit config.json": {"linear.weight": torch.ones(16, 41, dtype=torch.int8)},
        "linear.bias.scale": {"linear.bias": torch.ones(16, dtype=torch.int8)}
        | {"linear.bias.scale": torch.ones(16).half()},
    }
    for message, change in changes.items():
        save_file(good | change, file)
        with pytest.raises(InputError, match=message) as caught:
            reload(tmp_path)
        assert "\n" not in str(caught.value)
    save_file({name: t for name, t in good.items() if name != "conv.weight.scale"}, file)
    with pytest.raises(InputError, match=r"conv\.weight has 8 bits, but no scales"):
        reload(tmp_path)
