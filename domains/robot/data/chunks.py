"""Demonstrations in memory, cut into chunks of actions."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.robot.data.frames import CompressedImages


class ChunkBatch(NamedTuple):
    """A training batch of a policy.

    Attributes:
        obs: Low-dimensional observations in the environment's units, oldest first.
        act: The chunk of actions that follows, channels first; in the network's form, not
            normalized.
        images: Images of each camera, oldest first, channels first; ``None`` without cameras.
    """

    obs: Float[Tensor, "b steps o"]
    act: Float[Tensor, "b a horizon"]
    images: UInt8[Tensor, "b cameras steps 3 h w"] | None = None


@dataclass(frozen=True, eq=False)
class Demos:
    """All steps of all demonstrations, in order.

    Attributes:
        obs: Observations before each step, (n, o).
        act: Actions, (n, a).
        bounds: Demonstration k is rows ``bounds[k]`` to ``bounds[k + 1]``.
        names: Names of the demonstrations in their file.
        images: Images before each step, by camera.
    """

    obs: Float[Tensor, "n o"]
    act: Float[Tensor, "n a"]
    bounds: Int[Tensor, "k"]
    names: tuple[str, ...]
    images: dict[str, CompressedImages]

    def __len__(self) -> int:
        return len(self.obs)


@dataclass(frozen=True, eq=False)
class ChunkDataset:
    """All chunks of one length, and the observations that precede them.

    Attributes:
        demos: Demonstrations that the chunks are cut from.
        start: First row of each chunk, (c,).
        first: First row of the demonstration that holds the chunk, (c,).
        last: Last row of that demonstration, (c,). A chunk that is longer than its demonstration
            repeats the last action.
        n_obs_steps: Number of observations up to the start of a chunk. At the beginning of a
            demonstration, its first observation is repeated.
        horizon: Number of actions in a chunk.
    """

    demos: Demos
    start: Int[Tensor, "c"]
    first: Int[Tensor, "c"]
    last: Int[Tensor, "c"]
    n_obs_steps: int
    horizon: int

    def __len__(self) -> int:
        return len(self.start)

    def sample_indices(self, n: int, generator: torch.Generator) -> Int[Tensor, "n"]:
        """Sample indices of ``n`` chunks uniformly, with replacement."""
        return torch.randint(len(self), (n,), generator=generator, device=self.start.device)

    def batch(self, indices: Int[Tensor, "n"]) -> ChunkBatch:
        """Gather chunks, on the device of the data; images are on the CPU."""
        start, first = self.start[indices], self.first[indices]
        steps = torch.arange(1 - self.n_obs_steps, 1, device=start.device)
        past = torch.maximum(start.unsqueeze(1) + steps, first.unsqueeze(1))
        ahead = start.unsqueeze(1) + torch.arange(self.horizon, device=start.device)
        ahead = torch.minimum(ahead, self.last[indices].unsqueeze(1))
        act = self.demos.act[ahead].transpose(1, 2).contiguous()
        images = None
        if self.demos.images:
            rows = past.flatten().tolist()
            per_camera = [stored.batch(rows) for stored in self.demos.images.values()]
            shaped = [x.reshape(*past.shape, *x.shape[1:]) for x in per_camera]
            images = torch.stack(shaped, dim=1).contiguous()
        return ChunkBatch(self.demos.obs[past], act, images)

    def to(self, device: torch.device | str) -> "ChunkDataset":
        """Return a copy with its tensors on ``device``; images stay on the CPU."""
        d = self.demos
        moved = Demos(d.obs.to(device), d.act.to(device), d.bounds.to(device), d.names, d.images)
        start, first, last = (x.to(device) for x in (self.start, self.first, self.last))
        return ChunkDataset(moved, start, first, last, self.n_obs_steps, self.horizon)


def cut_chunks(demos: Demos, n_obs_steps: int, horizon: int) -> ChunkDataset:
    """Find all chunks that lie within one demonstration.

    A demonstration shorter than a chunk has a chunk from each of its steps, padded with its last
    action.

    Args:
        demos: Demonstrations to cut.
        n_obs_steps: Number of observations before each chunk.
        horizon: Number of actions in a chunk.

    Raises:
        InputError: There is no chunk, or a number is not positive.
    """
    if n_obs_steps < 1 or horizon < 1:
        raise InputError(f"n_obs_steps {n_obs_steps} and horizon {horizon} must be positive")
    start, first, last = list[Tensor](), list[Tensor](), list[Tensor]()
    for low, high in zip(demos.bounds[:-1].tolist(), demos.bounds[1:].tolist(), strict=True):
        rows = torch.arange(low, high if high - low < horizon else high - horizon + 1)
        start.append(rows)
        first.append(torch.full_like(rows, low))
        last.append(torch.full_like(rows, high - 1))
    if not sum(map(len, start)):
        raise InputError("the demonstrations have no steps")
    return ChunkDataset(
        demos, torch.cat(start), torch.cat(first), torch.cat(last), n_obs_steps, horizon
    )
