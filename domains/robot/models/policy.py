"""A visuomotor policy: chunks of actions given observations, numpy in and numpy out."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.sampling.samplers import FlowMapSampler, Sampler
from oneleap.core.training.model import GenerativeModel
from oneleap.core.training.recipe import Recipe
from oneleap.core.training.seed import Step
from oneleap.core.types import Conditioned, Objective, TrainingBatch
from oneleap.domains.robot.data.chunks import ChunkBatch
from oneleap.domains.robot.envs.rotation import pose_from_network
from oneleap.domains.robot.models.nets import Head, MLPHead, PolicyNet, VisionConfig
from oneleap.domains.robot.models.vision import random_shift
from oneleap.domains.robot.spec import Spec


class RobotPolicy(GenerativeModel):
    """Imitates demonstrations by any objective of the core.

    With :class:`oneleap.domains.robot.models.dm1.DM1` it is DM1 (arXiv 2510.07865); with
    ``NoisePrediction`` and the sampler ``DDPMSampler`` it is Diffusion Policy (arXiv 2303.04137).

    The gripper is one dimension of the action, like the others. In demonstrations it is -1 or 1,
    and the Panda's controller uses its sign only. ``gripper: threshold`` returns the sign, for
    robots whose controller uses the value.

    Args:
        spec: Sizes and statistics of the data.
        objective: Objective of imitation.
        sampler: Sampler that generates chunks.
        head: Network over chunks.
        vision: Sizes of the vision encoder, which is built if the data have images.
        n_action_steps: Number of actions of a chunk to execute before the next chunk is generated
            (receding horizon); ``None`` executes all of them.
        gripper: Whether to return the last action as it is, or its sign.
        temperature: Standard deviation of the noise that chunks are generated from. Below 1, chunks
            vary less and avoid the tails of the noise, where one-step sampling is least accurate.
        augment: Largest random shift of images, pixels.
        augment_when: Whether to shift images in training only, or also when acting, as DM1's
            released evaluation does.
        recipe: Settings of training.

    Raises:
        InputError: ``n_action_steps`` exceeds the horizon, or ``temperature`` is negative.
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
        vision: VisionConfig = VisionConfig(),  # noqa: B008  (frozen)
        n_action_steps: int | None = None,
        gripper: Literal["continuous", "threshold"] = "continuous",
        temperature: float = 1.0,
        augment: int = 4,
        augment_when: Literal["training", "always"] = "training",
        recipe: Recipe = Recipe(ema=0.995, compile=True),  # noqa: B008  (frozen)
    ) -> None:
        if n_action_steps is not None and not 1 <= n_action_steps <= spec.horizon:
            raise InputError(f"n_action_steps: {n_action_steps} is not from 1 to {spec.horizon}")
        if temperature < 0:
            raise InputError(f"temperature: {temperature} is negative")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            net = PolicyNet(spec, head, vision)
        super().__init__(net, objective, recipe)
        self.spec, self.sampler, self.head, self.vision = spec, sampler, head, vision
        self.n_action_steps, self.gripper, self.temperature = n_action_steps, gripper, temperature
        self.augment, self.augment_when = augment, augment_when
        for name in ("obs_shift", "obs_scale", "act_shift", "act_scale"):
            self.register_buffer(name, torch.tensor(getattr(spec, name)), persistent=False)
        self.obs_shift: Tensor
        self.obs_scale: Tensor
        self.act_shift: Tensor
        self.act_scale: Tensor

    def normalize_obs(self, obs: Float[Tensor, "b steps o"]) -> Float[Tensor, "b so"]:
        """Normalize observations and concatenate their steps."""
        return ((obs - self.obs_shift) / self.obs_scale).flatten(1)

    def data(self, batch: ChunkBatch) -> Float[Tensor, "b a n"]:
        """Return normalized actions."""
        return (batch.act - self.act_shift.unsqueeze(1)) / self.act_scale.unsqueeze(1)

    def bind(self, batch: ChunkBatch, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Condition the network on the batch's observations."""
        chosen = net if isinstance(net, PolicyNet) else self.net
        obs = self.normalize_obs(batch.obs)
        seen = (obs,) if batch.images is None else (obs, batch.images)
        return TrainingBatch(
            field=Conditioned(chosen, (chosen.encode(*seen),)),
            x=self.data(batch),
            target=Conditioned(self._target_field, seen),
            teacher=self.teacher_field(batch),
        )

    def _target_field(self, z: Tensor, r: Tensor, t: Tensor, *seen: Tensor) -> Tensor:
        """Evaluate the average's field; encode only here, because most objectives never call it."""
        net = self.target_net
        assert isinstance(net, PolicyNet)
        u: Tensor = net(z, r, t, net.encode(*seen))
        return u

    def prepare(self, batch: ChunkBatch, step: Step) -> ChunkBatch:
        """Shift the images at random."""
        if batch.images is None or not self.augment:
            return batch
        return batch._replace(images=random_shift(batch.images, self.augment, step.generator(3)))

    def load_teacher(self) -> GenerativeModel:
        """Load the teacher, see :meth:`GenerativeModel.load_teacher`.

        Raises:
            InputError: The teacher is not a policy of the same observations and actions.
        """
        model = super().load_teacher()
        spec = getattr(model, "spec", None)
        same = ("obs_keys", "n_obs_steps", "cameras", "absolute", "act_dim", "horizon")
        for name in (*same, "act_scale", "act_shift"):
            theirs, ours = (getattr(s, name, None) for s in (spec, self.spec))
            if theirs != ours:
                raise InputError(
                    f"teacher: {self.recipe.teacher} has {name} {theirs}, the data {ours}"
                )
        return model

    def noise(
        self, n: int, generator: torch.Generator | None = None
    ) -> Float[Tensor, "n a horizon"]:
        """Draw standard normal noise for ``n`` chunks."""
        shape = (n, self.spec.act_dim, self.spec.horizon)
        return torch.randn(shape, generator=generator, device=self.device)

    def generate(
        self,
        obs: Float[Tensor, "b steps o"],
        images: UInt8[Tensor, "b cameras steps 3 h w"] | None,
        noise: Float[Tensor, "b a n"],
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, "b n a"]:
        """Generate chunks of actions from noise.

        Args:
            obs: Low-dimensional observations in the environment's units, oldest first.
            images: Images, oldest first, channels first; ``None`` without cameras.
            noise: Standard normal noise; the temperature is applied here.
            generator: Generator of further noise, for samplers that draw some.

        Returns:
            Actions in the network's form, in the data's units.
        """
        cond = self.average.encode(self.normalize_obs(obs), images)
        x = self.sampler(Conditioned(self.average, (cond,)), self.temperature * noise, generator)
        return x.transpose(1, 2) * self.act_scale + self.act_shift

    @torch.inference_mode()
    def act(
        self,
        obs: NDArray[Any],
        images: NDArray[np.uint8] | None = None,
        *,
        n_action_steps: int | None = None,
        generator: torch.Generator | None = None,
    ) -> NDArray[np.float64]:
        """Generate chunks of actions for the environment.

        Args:
            obs: Low-dimensional observations in the environment's units, oldest first,
                (b, steps, o).
            images: Images, oldest first, channels first, (b, cameras, steps, 3, h, w); ``None``
                without cameras.
            n_action_steps: Number of actions of each chunk to return; by default the policy's.
            generator: Generator of the noise, and of image shifts if ``augment_when: always``.

        Returns:
            Actions to execute, in the environment's form, (b, n, a).
        """
        low_dim = torch.as_tensor(obs, dtype=torch.float32, device=self.device)
        pixels = None if images is None else torch.as_tensor(images, device=self.device)
        if pixels is not None and self.augment_when == "always":
            pixels = random_shift(pixels, self.augment, generator or torch.Generator(self.device))
        chunk = self.generate(low_dim, pixels, self.noise(len(low_dim), generator), generator)
        n = n_action_steps or self.n_action_steps
        return self.to_env_actions(chunk[:, :n].double().cpu().numpy())

    def to_env_actions(self, chunk: NDArray[np.float64]) -> NDArray[np.float64]:
        """Convert actions from the network's form to the environment's, (..., a)."""
        if self.spec.absolute:
            chunk = pose_from_network(chunk)
        if self.gripper == "threshold":
            chunk = np.concatenate([chunk[..., :-1], np.sign(chunk[..., -1:])], -1)
        return chunk
