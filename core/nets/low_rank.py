"""Low-rank adapters on every linear map of a network (Hu et al. 2022, arXiv 2106.09685)."""

import math
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils import parametrize

from oneleap.core.errors import InputError


class LowRank(nn.Module):
    """``W + B A`` with ``B = 0`` at the start, for a weight of any shape, read as a matrix.

    Args:
        weight: Weight, (out, *rest).
        rank: Number of rows of ``A``.
        generator: Source of the random ``A``.
    """

    def __init__(self, weight: Tensor, rank: int, generator: torch.Generator) -> None:
        super().__init__()
        columns = weight[0].numel()
        down = torch.randn(rank, columns, generator=generator) / math.sqrt(columns)
        self.down = nn.Parameter(down.to(weight))
        self.up = nn.Parameter(weight.new_zeros(len(weight), rank))

    def forward(self, weight: Float[Tensor, "o *d"]) -> Float[Tensor, "o *d"]:
        """Return the adapted weight."""
        return weight + (self.up @ self.down).view_as(weight)


def adapt(net: nn.Module, rank: int) -> None:
    """Freeze a network and train adapters of its linear maps and convolutions instead, in place.

    The network computes what it did before, until the adapters are trained. Weights that were
    frozen before get no adapter.

    Args:
        net: Network.
        rank: Rank of the adapters.

    Raises:
        InputError: If the rank is below 1.
    """
    if rank < 1:
        raise InputError(f"the rank of an adapter must be at least 1, not {rank}")
    generator = torch.Generator().manual_seed(0)
    maps = [m for m in net.modules() if isinstance(m, nn.Linear | nn.Conv1d | nn.Conv2d)]
    trained = [m for m in maps if m.weight.requires_grad]
    net.requires_grad_(False)
    for module in trained:
        adapter = LowRank(module.weight, rank, generator)
        parametrize.register_parametrization(module, "weight", adapter)


def _adapted(module: nn.Module) -> Tensor:
    """Return the adapted weight of a layer."""
    assert isinstance(module, nn.Linear | nn.Conv1d | nn.Conv2d)
    return module.weight


def plain_weights(net: nn.Module) -> dict[str, Tensor]:
    """Return the weights of the network without adapters that computes the same, by name."""
    weights: dict[str, Tensor] = {}
    for name, weight in net.named_parameters():
        owner, found, _ = name.partition(".parametrizations.")
        if not found:
            weights[name] = weight
        elif name.endswith(".original"):
            weights[f"{owner}.weight"] = _adapted(net.get_submodule(owner))
    return weights


def load_plain(net: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load the weights of a network without adapters into one with them, or without.

    Raises:
        RuntimeError: If they do not fit.
    """
    renamed = {}
    adapted = {name for name, m in net.named_modules() if parametrize.is_parametrized(m, "weight")}
    for name, weight in weights.items():
        owner, _, last = name.rpartition(".")
        inside = owner in adapted and last == "weight"
        renamed[f"{owner}.parametrizations.weight.original" if inside else name] = weight
    own = {k: v for k, v in net.state_dict().items() if k.endswith((".up", ".down"))}
    net.load_state_dict({k: v for k, v in own.items() if ".parametrizations." in k} | renamed)
