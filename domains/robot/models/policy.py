"""A visuomotor policy: chunks of actions for what is seen, numpy in and numpy out."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.sampling.samplers import FlowMapSampler, Sampler
from oneleap.core.training.ema import PowerEMA
from oneleap.core.training.module import GenerativeModule
from oneleap.core.training.optim import AdamConfig
from oneleap.core.types import Conditioned, Objective, TrainingBatch
from oneleap.domains.robot.data.chunks import Batch
from oneleap.domains.robot.envs.rotation import pose_from_network
from oneleap.domains.robot.envs.task import Spec
from oneleap.domains.robot.models.nets import Head, MLPHead, PolicyNet, Vision
from oneleap.domains.robot.models.vision import shifted


class RobotPolicy(GenerativeModule):
    """Imitation of demonstrations by any objective of the core.

    With :class:`oneleap.domains.robot.models.dm1.DM1` it is DM1 (arXiv 2510.07865), with
    ``NoisePrediction`` and the sampler ``DDPMSampler`` it is Diffusion Policy (arXiv 2303.04137).

    The gripper is a number of the action like the others. Demonstrations hold -1 or 1 there, and
    the Panda's controller goes by the sign alone; ``gripper: threshold`` hands out the sign, for
    robots that go by the value.

    Args:
        spec: Sizes and statistics of the data.
        objective: How the policy imitates.
        sampler: How it acts.
        head: Network over chunks.
        vision: The eye, if the data have images.
        execute: Actions of a chunk that are executed before the next is drawn (receding horizon);
            all of them if ``None``.
        gripper: Hand the last action out as it is, or its sign.
        temperature: Deviation of the noise that chunks are made of. Below 1 they keep to what is
            usual, above it they vary more; one step errs most far out.
        augment: Greatest shift of images, pixels.
        augment_when: In training, or when acting as well, as DM1's released evaluation does.
        optimizer: Optimiser, schedule and gradient clip.
        ema: Decay of the moving average that acts, or a schedule.
        seed: Of initial weights and of all draws of training.
        compile_loss: Run the loss through ``torch.compile``.
        teacher: Model folder of a policy to distil, by an objective that does so.
        from_teacher: Start from the teacher's weights, which takes a teacher of the same network.
    """

    net: PolicyNet
    average: PolicyNet

    def __init__(
        self,
        spec: Spec,
        objective: Objective,
        *,
        sampler: Sampler = FlowMapSampler(),  # noqa: B008  (frozen)
        head: Head = MLPHead(),  # noqa: B008  (frozen)
        vision: Vision = Vision(),  # noqa: B008  (frozen)
        execute: int | None = None,
        gripper: Literal["continuous", "threshold"] = "continuous",
        temperature: float = 1.0,
        augment: int = 4,
        augment_when: Literal["training", "always"] = "training",
        optimizer: AdamConfig = AdamConfig(),  # noqa: B008  (frozen)
        ema: float | PowerEMA = 0.995,
        seed: int = 0,
        compile_loss: bool = True,
        teacher: str | None = None,
        from_teacher: bool = False,
    ) -> None:
        if execute is not None and not 1 <= execute <= spec.chunk:
            raise InputError(f"execute: {execute} actions of a chunk of {spec.chunk}")
        if temperature < 0:
            raise InputError(f"temperature: {temperature} is negative")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = PolicyNet(spec, head, vision)
        super().__init__(
            net,
            objective,
            optimizer=optimizer,
            ema=ema,
            seed=seed,
            compile_loss=compile_loss,
            teacher=teacher,
            from_teacher=from_teacher,
        )
        self.spec, self.sampler, self.head, self.vision = spec, sampler, head, vision
        self.execute, self.gripper, self.temperature = execute, gripper, temperature
        self.augment, self.augment_when = augment, augment_when
        for name in ("obs_shift", "obs_scale", "act_shift", "act_scale"):
            self.register_buffer(name, torch.tensor(getattr(spec, name)), persistent=False)
        self.obs_shift: Tensor
        self.obs_scale: Tensor
        self.act_shift: Tensor
        self.act_scale: Tensor

    def observe(self, obs: Float[Tensor, "b steps o"]) -> Float[Tensor, "b so"]:
        """Normalise observations, and put the steps side by side."""
        return ((obs - self.obs_shift) / self.obs_scale).flatten(1)

    def data(self, batch: Batch) -> Float[Tensor, "b a n"]:
        """Normalised actions."""
        return (batch.act - self.act_shift.unsqueeze(1)) / self.act_scale.unsqueeze(1)

    def bind(self, batch: Batch, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Chunks given what is seen."""
        chosen = net if isinstance(net, PolicyNet) else self.net
        obs = self.observe(batch.obs)
        seen = (obs,) if batch.images is None else (obs, batch.images)
        return TrainingBatch(
            field=Conditioned(chosen, (chosen.encode(*seen),)),
            x=self.data(batch),
            target=Conditioned(self._late, seen),
            teacher=self.teacher_field(batch),
        )

    def _late(self, z: Tensor, r: Tensor, t: Tensor, *seen: Tensor) -> Tensor:
        """The average's field, which encodes only if it is asked: most objectives never do."""
        u: Tensor = self.average(z, r, t, self.average.encode(*seen))
        return u

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """Shift the images, then train."""
        if batch.images is not None and self.augment:
            images = shifted(batch.images, self.augment, self.generator(stream=3))
            batch = batch._replace(images=images)
        return super().training_step(batch, batch_idx)

    def load_teacher(self) -> GenerativeModule:
        """See :meth:`GenerativeModule.load_teacher`.

        Raises:
            InputError: If it is no policy for the same observations and actions.
        """
        model = super().load_teacher()
        spec = getattr(model, "spec", None)
        same = ("obs_keys", "obs_steps", "cameras", "absolute", "act_dim", "chunk")
        for name in (*same, "act_scale", "act_shift"):
            theirs, ours = (getattr(s, name, None) for s in (spec, self.spec))
            if theirs != ours:
                raise InputError(f"teacher: {self.teacher} has {name} {theirs}, the data {ours}")
        return model

    def noise(self, n: int, generator: torch.Generator | None = None) -> Float[Tensor, "n a chunk"]:
        """What ``n`` chunks are made of."""
        shape = (n, self.spec.act_dim, self.spec.chunk)
        return torch.randn(shape, generator=generator, device=self.device)

    def generate(
        self,
        obs: Float[Tensor, "b steps o"],
        images: UInt8[Tensor, "b cameras steps 3 h w"] | None,
        noise: Float[Tensor, "b a n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b n a"]:
        """Chunks in the data's units, from standard normal noise."""
        cond = self.average.encode(self.observe(obs), images)
        x = self.sampler(Conditioned(self.average, (cond,)), self.temperature * noise, generator)
        return x.transpose(1, 2) * self.act_scale + self.act_shift

    @torch.inference_mode()
    def act(
        self,
        obs: NDArray[Any],
        images: NDArray[np.uint8] | None = None,
        *,
        execute: int | None = None,
        generator: torch.Generator | None = None,
    ) -> NDArray[np.float64]:
        """Chunks of actions for the environment.

        Args:
            obs: Low-dimensional observations, oldest first, (b, steps, o).
            images: Likewise, channels first, (b, cameras, steps, 3, h, w).
            execute: Actions of each chunk to return; by default the policy's own number.
            generator: Of noise, and of the shifts of images if they are shifted always.

        Returns:
            (b, n, a) for ``n`` actions to execute.
        """
        seen = torch.as_tensor(obs, dtype=torch.float32, device=self.device)
        pictures = None if images is None else torch.as_tensor(images, device=self.device)
        if pictures is not None and self.augment_when == "always":
            pictures = shifted(pictures, self.augment, generator or torch.Generator(self.device))
        chunk = self.generate(seen, pictures, self.noise(len(seen), generator), generator)
        return self.executable(chunk[:, : execute or self.execute].double().cpu().numpy())

    def executable(self, chunk: NDArray[np.float64]) -> NDArray[np.float64]:
        """Actions as the environment takes them, (..., a)."""
        if self.spec.absolute:
            chunk = pose_from_network(chunk)
        if self.gripper == "threshold":
            chunk = np.concatenate([chunk[..., :-1], np.sign(chunk[..., -1:])], -1)
        return chunk
