"""Small networks over sequences without zero weights, and conditions for them."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from support.exact import seeded
from torch import Tensor, nn

from oneleap.core.nets import MLP, ConvNeXt1d, DiT1d, LYNXNet, ResidualMLP, UNet1d, WaveNet
from oneleap.core.nets.sequence import SequenceNet

C, S, G = 3, 2, 4  # channels of data, of the sequence condition, size of the vector
LENGTHS = (13, 8, 1, 10)

KINDS: dict[str, Callable[[int, int, bool], SequenceNet]] = {
    "unet": lambda s, g, w: UNet1d(C, s, g, (8, 8, 16), 8, groups=4, guided=w, time_dim=8),
    "dit": lambda s, g, w: DiT1d(C, s, g, width=8, depth=2, heads=2, guided=w, time_dim=8),
    "convnext": lambda s, g, w: ConvNeXt1d(C, s, g, width=8, depth=2, guided=w, time_dim=8),
    "wavenet": lambda s, g, w: WaveNet(C, s, g, width=8, depth=3, guided=w, time_dim=8),
    "lynxnet": lambda s, g, w: LYNXNet(C, s, g, 8, 2, kernel=5, guided=w, time_dim=8),
}


def tiny(
    kind: str, sequence: bool = True, vector: bool = True, guided: bool = False
) -> SequenceNet:
    """Build a network in which every weight matters, float64."""
    net = KINDS[kind](S * sequence, G * vector, guided).double()
    g = seeded(3)
    for weight in net.parameters():
        nn.init.normal_(weight, std=0.3, generator=g)
    return net


@dataclass(frozen=True)
class Batch:
    """Inputs of a padded batch of ``LENGTHS``."""

    z: Tensor
    r: Tensor
    t: Tensor
    sequence: Tensor
    vector: Tensor
    mask: Tensor

    @property
    def cond(self) -> tuple[Tensor, ...]:
        """All conditions, in order."""
        return self.sequence, self.vector, self.mask

    def alone(self, row: int) -> tuple[Tensor, ...]:
        """Return one row, cut to its length, without a mask."""
        i, n = slice(row, row + 1), LENGTHS[row]
        return (
            *(self.z[i, :, :n], self.r[i], self.t[i]),
            *(self.sequence[i, :, :n], self.vector[i]),
        )


def batch(seed: int = 0, dtype: torch.dtype = torch.float64) -> Batch:
    """Make random inputs."""
    g, b, n = seeded(seed), len(LENGTHS), max(LENGTHS)

    def draw(*shape: int) -> Tensor:
        return torch.randn(b, *shape, generator=g, dtype=dtype)

    r, t = (0.1 + 0.8 * torch.rand(2, b, generator=g, dtype=dtype)).sort(0).values
    mask = torch.arange(n)[None, None] < torch.tensor(LENGTHS)[:, None, None]
    return Batch(draw(C, n), r, t, draw(S, n), draw(G), mask)


def layer_of(kind: str) -> str:
    return {"unet": "mid", "wavenet": "blocks.0.gate", "mlp": "layers.1"}.get(kind, "blocks.0")


def network(kind: str) -> nn.Module:
    vectors = {"mlp": lambda: MLP(3, 2, 8, 2, 8), "residual mlp": lambda: ResidualMLP(3, 2, 8)}
    torch.manual_seed(0)
    return vectors[kind]().double() if kind in vectors else tiny(kind)
