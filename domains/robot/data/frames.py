"""Images kept compressed in memory; decoded by the batch, in threads."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import UInt8
from numpy.typing import NDArray
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Frames:
    """n images of one size, without loss in a half to a tenth of their memory.

    Each is the difference of neighbouring pixels through zlib, whose decoder leaves Python's lock
    alone: threads decode side by side.

    Attributes:
        packed: One string of bytes each.
        size: Height and width, pixels.
    """

    packed: tuple[bytes, ...]
    size: tuple[int, int]

    def __len__(self) -> int:
        return len(self.packed)

    def batch(self, rows: Sequence[int]) -> UInt8[Tensor, "n 3 h w"]:
        """Some of the images, channels first."""
        out = np.empty((len(rows), *self.size, 3), np.uint8)
        for k, row in enumerate(rows):
            out[k] = unpack(self.packed[row], self.size)
        return torch.from_numpy(out).permute(0, 3, 1, 2)


def pack(images: UInt8[NDArray[np.uint8], "n h w 3"]) -> list[bytes]:
    """Compress images; differences wrap around."""
    change = np.diff(images, axis=2, prepend=np.uint8(0))
    return [zlib.compress(image.tobytes(), 1) for image in change]


def unpack(packed: bytes, size: tuple[int, int]) -> UInt8[NDArray[np.uint8], "h w 3"]:
    """Inverse of :func:`pack` for one image."""
    change = np.frombuffer(zlib.decompress(packed), np.uint8).reshape(*size, 3)
    return np.cumsum(change, axis=1, dtype=np.uint8)
