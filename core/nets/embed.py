"""How networks are told the two times of a mean velocity, and one vector about the whole sample."""

import math
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.nets.activation import mish
from oneleap.core.nets.layers import zeroed

Net = TypeVar("Net", bound=nn.Module)


@runtime_checkable
class HasIntervalEmbedding(Protocol):
    """A part of a network that reads ``t - r`` and can be made blind to it."""

    def zero_interval_embedding(self) -> None:
        """Make the result at every ``r`` that at ``r = t``."""


class TimeFeatures(nn.Module):
    """Sinusoids of ``t`` and of the interval ``t - r``; no weights.

    The highest frequency is low on purpose. ``du/dt`` of an average-velocity loss grows in
    proportion to it: with frequencies up to 100 rad per unit time the loss of a policy stays at
    3 to 14, with 3 it starts below 0.7.

    Args:
        dim: Features for each of the two, even.
        max_frequency: Radians per unit of time; the lowest is a quarter of a radian.
    """

    def __init__(self, dim: int = 64, max_frequency: float = 4.0) -> None:
        super().__init__()
        if dim < 2 or dim % 2:
            raise InputError(f"time_dim: {dim} is no even number from 2 up")
        self.dim, self.max_frequency = dim, max_frequency
        self.frequencies: Tensor
        log = torch.linspace(math.log(0.25), math.log(max_frequency), dim // 2)
        self.register_buffer("frequencies", log.exp(), persistent=False)

    def forward(self, r: Float[Tensor, "b"], t: Float[Tensor, "b"]) -> Float[Tensor, "b c"]:
        """Features of ``t``, then of ``t - r``: (b, 2 dim)."""
        angle = torch.cat([torch.outer(h, self.frequencies.to(t.dtype)) for h in (t, t - r)], 1)
        return torch.cat([angle.sin(), angle.cos()], dim=1)

    def of(self, t: Float[Tensor, "b"]) -> Float[Tensor, "b dim"]:
        """Features of one time alone; those of 0 are ``[0, ..., 1, ...]``."""
        angle = torch.outer(t, self.frequencies.to(t.dtype))
        return torch.cat([angle.sin(), angle.cos()], dim=1)


class Context(nn.Module):
    """One learned vector a sample: of the times ``r`` and ``t``, and of a condition vector.

    The interval ``t - r`` enters through features that vanish at ``r = t`` and through a
    projection without bias that starts at zero. So a fresh network ignores ``r``, one trained at
    ``r = t`` alone (flow matching) still does, and, loaded into a student of average velocity, it
    starts as exactly its own teacher at every interval: what the ``[I, 0]`` mixing of two time
    embeddings is for (IntMeanFlow, arXiv 2510.07979, Sec. 3.3), with nothing to convert.

    A guidance scale ``w`` enters in the same way, through ``log((1 + w) / 2)``: a fresh network
    ignores it, and one trained at ``w = 1`` alone still does.

    Computed in the precision of the weights under autocast too: bfloat16 tells times apart to no
    better than 0.004.

    Args:
        width: Size of the result.
        cond_dim: Size of the condition vector; 0 for none.
        guided: Takes a guidance scale as well.
        time_dim: Features for each of the two times, even.
        max_frequency: Of the features, see :class:`TimeFeatures`.
    """

    def __init__(
        self,
        width: int,
        cond_dim: int = 0,
        guided: bool = False,
        time_dim: int = 64,
        max_frequency: float = 4.0,
    ) -> None:
        super().__init__()
        self.width, self.cond_dim, self.guided = width, cond_dim, guided
        self.time_dim, self.max_frequency = time_dim, max_frequency
        self.times = TimeFeatures(time_dim, max_frequency)
        self.time = nn.Linear(time_dim, width)
        self.interval = zeroed(nn.Linear(time_dim, width, bias=False))
        self.scale = zeroed(nn.Linear(time_dim, width, bias=False)) if guided else None
        self.out = nn.Linear(width, width)
        self.cond = nn.Linear(cond_dim, width) if cond_dim else None

    def forward(
        self,
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        vector: Float[Tensor, "b g"] | None = None,
        guidance: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b width"]:
        """The context of each sample.

        Raises:
            InputError: If a guidance scale is missing, or given to a network that takes none.
        """
        if (self.scale is None) != (guidance is None):
            has = "takes no guidance scale: build it with guided=True"
            lacks = "was built with guided=True: give it a guidance scale for each row"
            raise InputError(f"guidance: this network {has if self.scale is None else lacks}")
        with torch.autocast(t.device.type, enabled=False):
            like = self.out.weight
            hidden: Tensor = self.time(self.times.of(t).to(like))
            hidden = hidden + self.interval(self.rising(t - r).to(like))
            if self.scale is not None and guidance is not None:
                log_scale = torch.log1p(guidance) - math.log(2.0)
                hidden = hidden + self.scale(self.rising(log_scale).to(like))
            context: Tensor = self.out(mish(hidden))
            if self.cond is not None and vector is not None:
                context = context + self.cond(vector.to(like))
        return context

    def rising(self, gap: Float[Tensor, "b"]) -> Float[Tensor, "b dim"]:
        """Features that vanish at 0."""
        return self.times.of(gap) - self.times.of(torch.zeros_like(gap))

    @torch.no_grad()
    def zero_interval_embedding(self) -> None:
        """See :func:`zero_interval_embedding`."""
        nn.init.zeros_(self.interval.weight)


def zero_interval_embedding(net: Net) -> Net:
    """Set ``u(z, r, t)`` to ``u(z, t, t)`` at every ``r``, in place, and return the network.

    So a student starts as exactly its teacher, a network of flow matching that was only ever
    asked at ``r = t``: load the teacher's weights, then forget the interval. Weights that read
    the interval become zero, not fixed: training takes them up at once.

    Raises:
        ValueError: If no part of the network knows how to forget.
    """
    parts = [m for m in net.modules() if isinstance(m, HasIntervalEmbedding)]
    if not parts:
        raise ValueError(f"{type(net).__name__} has no part that reads the interval in a known way")
    for part in parts:
        part.zero_interval_embedding()
    return net
