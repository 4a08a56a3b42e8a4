"""Embeddings of the two times of a mean velocity, and the context vector of a sample."""

import math
from typing import Protocol, TypeVar, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.nets.activation import mish
from oneleap.core.nets.layers import zero_init

Net = TypeVar("Net", bound=nn.Module)


@runtime_checkable
class HasIntervalEmbedding(Protocol):
    """A part of a network that reads ``t - r`` and can be made independent of it."""

    def zero_interval_embedding(self) -> None:
        """Make the result at every ``r`` equal to that at ``r = t``."""


class TimeFeatures(nn.Module):
    """Sinusoidal features of ``t`` and of the interval ``t - r``, without weights.

    The highest frequency is low because ``du/dt`` of a mean-velocity loss grows in proportion to
    it. With frequencies up to 100 rad per unit of time, the loss of a policy stays at 3 to 14; with
    3 rad it starts below 0.7.

    Args:
        dim: Number of features of each of the two, even.
        max_frequency: Highest frequency in radians per unit of time; the lowest is 0.25.
    """

    def __init__(self, dim: int = 64, max_frequency: float = 4.0) -> None:
        super().__init__()
        if dim < 2 or dim % 2:
            raise InputError(f"time_dim: {dim} is not an even number from 2 up")
        self.dim, self.max_frequency = dim, max_frequency
        self.frequencies: Tensor
        log = torch.linspace(math.log(0.25), math.log(max_frequency), dim // 2)
        self.register_buffer("frequencies", log.exp(), persistent=False)

    def forward(self, r: Float[Tensor, "b"], t: Float[Tensor, "b"]) -> Float[Tensor, "b c"]:
        """Compute the features of ``t`` and ``t - r``, (b, 2 dim)."""
        angle = torch.cat([torch.outer(h, self.frequencies.to(t.dtype)) for h in (t, t - r)], 1)
        return torch.cat([angle.sin(), angle.cos()], dim=1)

    def embed(self, t: Float[Tensor, "b"]) -> Float[Tensor, "b dim"]:
        """Compute the features of one time; those of 0 are ``[0, ..., 1, ...]``."""
        angle = torch.outer(t, self.frequencies.to(t.dtype))
        return torch.cat([angle.sin(), angle.cos()], dim=1)


class Context(nn.Module):
    """One learned vector per sample, from the times ``r`` and ``t`` and a condition vector.

    The interval ``t - r`` enters through features that vanish at ``r = t`` and a projection without
    bias that starts at zero. A fresh network therefore ignores ``r``, and a network trained at
    ``r = t`` only (flow matching) still does. Loaded into a student of mean velocities, its weights
    make the student equal to its teacher at every interval. The ``[I, 0]`` mixing of two time
    embeddings has the same purpose (IntMeanFlow, arXiv 2510.07979, Sec. 3.3), but needs a
    conversion of the weights.

    A guidance scale ``w`` enters in the same way, through ``log((1 + w) / 2)``. A fresh network
    ignores it, and a network trained at ``w = 1`` only still does.

    Under autocast, the context is still computed in the precision of the weights, because bfloat16
    only resolves times to 0.004.

    Args:
        width: Size of the result.
        cond_dim: Size of the condition vector; 0 for none.
        guided: Whether a guidance scale is taken as well.
        time_dim: Number of features of each of the two times, even.
        max_frequency: Highest frequency of the features, see :class:`TimeFeatures`.
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
        self.interval = zero_init(nn.Linear(time_dim, width, bias=False))
        self.scale = zero_init(nn.Linear(time_dim, width, bias=False)) if guided else None
        self.out = nn.Linear(width, width)
        self.cond = nn.Linear(cond_dim, width) if cond_dim else None

    def forward(
        self,
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        vector: Float[Tensor, "b g"] | None = None,
        guidance: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b width"]:
        """Compute the context of each sample.

        Args:
            r: Target times, (b,).
            t: Current times, (b,).
            vector: Condition vectors, (b, cond_dim).
            guidance: Guidance scales, (b,).

        Returns:
            Contexts, (b, width).

        Raises:
            InputError: If a guidance scale is missing, or given to a network that takes none.
        """
        if (self.scale is None) != (guidance is None):
            unexpected = "takes no guidance scale: build it with guided=True"
            missing = "was built with guided=True: give it a guidance scale for each row"
            problem = unexpected if self.scale is None else missing
            raise InputError(f"guidance: this network {problem}")
        with torch.autocast(t.device.type, enabled=False):
            like = self.out.bias
            hidden: Tensor = self.time(self.times.embed(t).to(like))
            hidden = hidden + self.interval(self.vanishing_features(t - r).to(like))
            if self.scale is not None and guidance is not None:
                log_scale = torch.log1p(guidance) - math.log(2.0)
                hidden = hidden + self.scale(self.vanishing_features(log_scale).to(like))
            context: Tensor = self.out(mish(hidden))
            if self.cond is not None and vector is not None:
                context = context + self.cond(vector.to(like))
        return context

    def vanishing_features(self, gap: Float[Tensor, "b"]) -> Float[Tensor, "b dim"]:
        """Features that vanish at 0."""
        return self.times.embed(gap) - self.times.embed(torch.zeros_like(gap))

    @torch.no_grad()
    def zero_interval_embedding(self) -> None:
        """See :func:`zero_interval_embedding`."""
        nn.init.zeros_(self.interval.weight)


def zero_interval_embedding(net: Net) -> Net:
    """Set ``u(z, r, t)`` to ``u(z, t, t)`` for every ``r``, in place, and return the network.

    A student then starts exactly equal to its teacher, a flow-matching network that was only
    trained at ``r = t``: load the teacher's weights, then call this function. The weights that read
    the interval become zero; they are not frozen, and training changes them at once.

    Raises:
        ValueError: If no part of the network implements :class:`HasIntervalEmbedding`.
    """
    parts = [m for m in net.modules() if isinstance(m, HasIntervalEmbedding)]
    if not parts:
        raise ValueError(f"{type(net).__name__} has no interval embedding that can be zeroed")
    for part in parts:
        part.zero_interval_embedding()
    return net
