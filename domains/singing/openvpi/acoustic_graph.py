"""The acoustic model as openvpi's graph: names, shapes, units; and the loop over its steps."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.sequence import frame_to_token
from oneleap.domains.singing.models.acoustic import CURVE_SCALES, AcousticModel
from oneleap.domains.singing.models.curves import CurveModel
from oneleap.domains.singing.models.frames import token_positions
from oneleap.domains.singing.models.nets import FrameBatch
from oneleap.domains.singing.models.samplers import EulerSampler, FromDepth

PERIOD = 2048
"""Frames after which the noise of a graph repeats: it is a table, so that results can be."""


def noise_table(channels: int, seed: int) -> Float[Tensor, "1 c period"]:
    """Standard normal noise that is kept in the graph."""
    return torch.randn(1, channels, PERIOD, generator=step_generator(seed, 0))


def tiled(table: Float[Tensor, "1 c period"], n: int) -> Float[Tensor, "1 c n"]:
    """``n`` frames of it, over and over."""
    return table[:, :, torch.arange(n) % table.shape[2]]


class AcousticStart(nn.Module):
    """Condition, rough spectrogram and noise of a phrase: all but the loop over steps.

    Args:
        model: Whose average sings.
        seed: Of the noise.
    """

    def __init__(self, model: AcousticModel, seed: int) -> None:
        super().__init__()
        self.net, self.spec = model.average, model.spec
        self.scales = tuple(CURVE_SCALES[name] for name in model.curves)
        self.noise: Tensor
        self.register_buffer("noise", noise_table(model.spec.mel.n_mels, seed))

    def forward(
        self,
        tokens: Int[Tensor, "1 l"],
        durations: Int[Tensor, "1 l"],
        f0: Float[Tensor, "1 n"],
        *curves: Float[Tensor, "1 n"],
    ) -> tuple[Float[Tensor, "1 c n"], Float[Tensor, "1 mels n"], Float[Tensor, "1 mels n"]]:
        """Condition, rough spectrogram, noise."""
        n = f0.shape[1]
        owner = frame_to_token(durations, n)
        heeded = [c.unsqueeze(2) * s for c, s in zip(curves, self.scales, strict=True)]
        noise = tiled(self.noise, n)
        batch = FrameBatch(
            tokens=tokens,
            durations=durations,
            frame_to_token=owner,
            position=token_positions(durations, owner),
            f0=f0,
            curves=torch.cat(heeded, 2) if heeded else f0.new_zeros(1, 1, 0).expand(-1, n, -1),
            x=noise,
            mask=torch.ones_like(f0, dtype=torch.bool).unsqueeze(1),
        )
        cond = self.net.encode(batch)
        return cond, self.net.coarse_mel(cond, batch.mask), noise


class Leaping(nn.Module):
    """One step of a sampler: ``z - (t - r) u(z, r, t)``, or ``u(z, t, t)`` of a rectified flow.

    Args:
        decoder: The field.
        instantaneous: Whether the field is asked at ``r = t``.
    """

    def __init__(self, decoder: nn.Module, instantaneous: bool) -> None:
        super().__init__()
        self.decoder, self.instantaneous = decoder, instantaneous

    def forward(
        self,
        z: Float[Tensor, "1 c n"],
        cond: Float[Tensor, "1 d n"],
        r: Float[Tensor, "1"],
        t: Float[Tensor, "1"],
    ) -> Float[Tensor, "1 c n"]:
        """The state at ``r``."""
        u: Tensor = self.decoder(z, t if self.instantaneous else r, t, cond)
        return z - (t - r) * u


def depth_of(model: AcousticModel) -> float:
    """Where the model's sampler starts."""
    sampler = model.limit_depth(model.sampler)
    return sampler.depth if isinstance(sampler, FromDepth) else 1.0


def asks_at_once(model: AcousticModel | CurveModel) -> bool:
    """Whether the field is asked for instantaneous velocities."""
    return isinstance(model.sampler, EulerSampler)


def looped(
    step: Leaping,
    start: Float[Tensor, "1 c n"],
    cond: Float[Tensor, "1 d n"],
    steps: Int[Tensor, ""],
    depth: Float[Tensor, ""],
) -> Float[Tensor, "1 c n"]:
    """Steps of equal length from ``depth`` to 0, as many as a graph's input says.

    A plain loop, unless it is being exported: then one whose length is no part of the graph.
    """
    if not torch.compiler.is_exporting():
        count = int(steps)
        for i in range(count):
            t, r = (depth * (1 - k / count) for k in (i, i + 1))
            start = step(start, cond, r.reshape(1).float(), t.reshape(1).float())
        return start
    from torch._higher_order_ops import while_loop

    def more(k: Tensor, z: Tensor, cond: Tensor, depth: Tensor) -> Tensor:
        return (k < steps).all()

    def body(k: Tensor, z: Tensor, cond: Tensor, depth: Tensor) -> tuple[Tensor, ...]:
        t, r = depth * (1 - k / steps), depth * (1 - (k + 1) / steps)
        following = step(z, cond, r.reshape(1).float(), t.reshape(1).float())
        return k + 1, following, cond.clone(), depth.clone()

    state = (torch.zeros((), dtype=torch.int64), start, cond, depth.clone())
    z: Tensor = while_loop(more, body, state)[1]  # type: ignore[no-untyped-call]
    return z


class AcousticGraph(nn.Module):
    """``acoustic``: tokens, durations, f0, curves, (depth,) steps -> mel (1, n, mels), raw.

    Args:
        model: Whose average sings.
        seed: Of the noise.
    """

    def __init__(self, model: AcousticModel, seed: int = 0) -> None:
        super().__init__()
        self.start = AcousticStart(model, seed)
        self.step = Leaping(model.average.decoder, asks_at_once(model))
        self.deepest, mel = depth_of(model), model.spec.mel
        self.mean, self.std = mel.mean, mel.std

    def forward(
        self,
        tokens: Int[Tensor, "1 l"],
        durations: Int[Tensor, "1 l"],
        f0: Float[Tensor, "1 n"],
        *rest: Tensor,
    ) -> Float[Tensor, "1 n mels"]:
        """Natural logarithms; a depth beyond the greatest counts as that."""
        shallow = self.deepest < 1
        curves = rest[: len(self.start.scales)]
        cond, coarse_mel, noise = self.start(tokens, durations, f0, *curves)
        depth = torch.ones(())
        if shallow:
            depth = rest[-2].clamp(max=self.deepest)
            noise = (1 - depth) * coarse_mel + depth * noise
        z = looped(self.step, noise, cond, rest[-1], depth)
        return z.mT * self.std + self.mean
