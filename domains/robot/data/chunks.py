"""Demonstrations in memory, cut into chunks of actions that never cross a demonstration's end."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.robot.data.frames import Frames


class Batch(NamedTuple):
    """What a policy is trained on.

    Attributes:
        obs: Low-dimensional observations, oldest first, in the environment's units.
        act: The chunk that follows, channels first, in the network's form and own units.
        images: One set a camera, oldest first, channels first; ``None`` without cameras.
    """

    obs: Float[Tensor, "b steps o"]
    act: Float[Tensor, "b a chunk"]
    images: UInt8[Tensor, "b cameras steps 3 h w"] | None = None


@dataclass(frozen=True, eq=False)
class Demos:
    """All steps of all demonstrations, in order.

    Attributes:
        obs: Before each step, (n, o).
        act: (n, a).
        bounds: Demonstration k is rows ``bounds[k]`` to ``bounds[k + 1]``.
        names: Of the demonstrations in their file.
        images: By camera.
    """

    obs: Float[Tensor, "n o"]
    act: Float[Tensor, "n a"]
    bounds: Int[Tensor, "k"]
    names: tuple[str, ...]
    images: dict[str, Frames]

    def __len__(self) -> int:
        return len(self.obs)


@dataclass(frozen=True, eq=False)
class Chunks:
    """Every chunk of a length, and the observations before it.

    Attributes:
        demos: They are of.
        start: First row of each chunk, (c,).
        first: First row of the demonstration it is in, (c,).
        obs_steps: Observations up to its start; at a demonstration's beginning the first is
            repeated.
        length: Actions.
    """

    demos: Demos
    start: Int[Tensor, "c"]
    first: Int[Tensor, "c"]
    obs_steps: int
    length: int

    def __len__(self) -> int:
        return len(self.start)

    def draw(self, n: int, generator: torch.Generator) -> Int[Tensor, "n"]:
        """Numbers of ``n`` chunks, uniformly, with replacement."""
        return torch.randint(len(self), (n,), generator=generator, device=self.start.device)

    def batch(self, chosen: Int[Tensor, "n"]) -> Batch:
        """Some of the chunks, on the device of the data; images on the CPU."""
        start, first = self.start[chosen], self.first[chosen]
        steps = torch.arange(1 - self.obs_steps, 1, device=start.device)
        seen = torch.maximum(start.unsqueeze(1) + steps, first.unsqueeze(1))
        ahead = start.unsqueeze(1) + torch.arange(self.length, device=start.device)
        act = self.demos.act[ahead].transpose(1, 2).contiguous()
        images = None
        if self.demos.images:
            rows = seen.flatten().tolist()
            sets = [frames.batch(rows) for frames in self.demos.images.values()]
            shaped = [s.reshape(*seen.shape, *s.shape[1:]) for s in sets]
            images = torch.stack(shaped, dim=1).contiguous()
        return Batch(self.demos.obs[seen], act, images)

    def to(self, device: torch.device | str) -> "Chunks":
        """The same with its tensors on ``device``; images stay where they are."""
        d = self.demos
        moved = Demos(d.obs.to(device), d.act.to(device), d.bounds.to(device), d.names, d.images)
        start, first = self.start.to(device), self.first.to(device)
        return Chunks(moved, start, first, self.obs_steps, self.length)


def chunks(demos: Demos, obs_steps: int, length: int) -> Chunks:
    """All chunks that lie within one demonstration.

    Raises:
        InputError: If there is none, or a number is not positive.
    """
    if obs_steps < 1 or length < 1:
        raise InputError(f"obs_steps {obs_steps} and chunk {length} must be positive")
    start, first = list[Tensor](), list[Tensor]()
    for low, high in zip(demos.bounds[:-1].tolist(), demos.bounds[1:].tolist(), strict=True):
        rows = torch.arange(low, max(low, high - length + 1))
        start.append(rows)
        first.append(torch.full_like(rows, low))
    if not sum(map(len, start)):
        longest = int((demos.bounds[1:] - demos.bounds[:-1]).max())
        raise InputError(f"chunk {length}: the longest demonstration has {longest} steps only")
    return Chunks(demos, torch.cat(start), torch.cat(first), obs_steps, length)
