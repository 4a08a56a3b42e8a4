"""A visuomotor policy: chunks of actions given observations, numpy in and numpy out."""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float, UInt8
from numpy.typing import NDArray
from torch import Tensor

from oneleap.core.errors import InputError, require_positive
from oneleap.core.sampling.samplers import FlowMapSampler, Sampler
from oneleap.core.training.model import SCORE, GenerativeModel, Validation
from oneleap.core.training.recipe import Recipe
from oneleap.core.training.seed import Step
from oneleap.core.types import Conditioned, Objective, TrainingBatch
from oneleap.domains.robot.data.chunks import ChunkBatch
from oneleap.domains.robot.data.scaling import divisor
from oneleap.domains.robot.envs.rotation import pose_from_network
from oneleap.domains.robot.models.nets import Head, MLPHead, PolicyNet, VisionConfig
from oneleap.domains.robot.models.vision import random_shift
from oneleap.domains.robot.spec import Spec


class RobotPolicy(GenerativeModel):
    """Imitates demonstrations by any objective of the core.

    With :class:`oneleap.domains.robot.models.dm1.DM1` it is DM1 (arXiv 2510.07865); with
    ``NoisePrediction`` and the sampler ``DDPMSampler`` it is Diffusion Policy's DDPM (arXiv
    2303.04137), which has 2 observation steps, chunks of 16 actions, of which 8 are executed, and
    its U-Net: ``n_obs_steps: 2``, ``horizon: 16``, ``n_action_steps: 8`` and ``head: UNetHead``.

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
        clip: Bound on the magnitude of generated chunks before they are scaled back; ``None`` for
            none. With ``MinMax`` scaling, 1 keeps them within the range of the data, as DM1 does.
        augment: Largest random shift of images, pixels.
        augment_when: Whether to shift images in training only, or also when acting, as DM1's
            released evaluation does.
        recipe: Settings of training.

    Raises:
        InputError: ``n_action_steps`` exceeds the horizon, ``temperature`` is negative, or ``clip``
            is not positive.
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
        clip: float | None = None,
        augment: int = 4,
        augment_when: Literal["training", "always"] = "training",
        recipe: Recipe = Recipe(ema=0.995, compile=True),  # noqa: B008  (frozen)
    ) -> None:
        if n_action_steps is not None and not 1 <= n_action_steps <= spec.horizon:
            raise InputError(f"n_action_steps: {n_action_steps} is not from 1 to {spec.horizon}")
        if temperature < 0:
            raise InputError(f"temperature: {temperature} is negative")
        if clip is not None:
            require_positive(clip=clip)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            net = PolicyNet(spec, head, vision)
        super().__init__(net, objective, recipe)
        self.spec, self.sampler, self.head, self.vision = spec, sampler, head, vision
        self.n_action_steps, self.gripper, self.temperature = n_action_steps, gripper, temperature
        self.clip, self.augment, self.augment_when = clip, augment, augment_when
        for name in ("obs_shift", "obs_scale", "act_shift", "act_scale"):
            self.register_buffer(name, torch.tensor(getattr(spec, name)), persistent=False)
        self.obs_shift: Tensor
        self.obs_scale: Tensor
        self.act_shift: Tensor
        self.act_scale: Tensor

    def next_step(self, run: str) -> tuple[str, ...] | None:
        """See :meth:`oneleap.core.hub.pretrained.Pretrained.next_step`."""
        simulated = self.spec.task is not None and find_spec("robosuite") is not None
        return ("evaluate", run) if simulated else None

    def normalize_obs(self, obs: Float[Tensor, "b steps o"]) -> Float[Tensor, "b so"]:
        """Normalize observations and concatenate their steps."""
        return ((obs - self.obs_shift) / divisor(self.obs_scale)).flatten(1)

    def data(self, batch: ChunkBatch) -> Float[Tensor, "b a n"]:
        """Return normalized actions; constant ones are 0."""
        x = batch.act - self.act_shift.unsqueeze(1)
        return x / divisor(self.act_scale).unsqueeze(1)

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

    def validate(self, batch: ChunkBatch, step: Step) -> Validation:
        """Compute the action error on held-out chunks.

        ``val/action_error`` is the mean distance of generated from demonstrated actions, in the
        actions' units; ``val/action_mse`` is the mean square of the normalized distance. See
        :meth:`GenerativeModel.validate`.
        """
        error, scaled = self.action_errors(batch, step.generator(4))
        mse = scaled.square().mean()
        figures = {"val/action_error": error.abs().mean(), "val/action_mse": mse, SCORE: -mse}
        return Validation(figures, len(batch.obs))

    def action_errors(
        self, batch: ChunkBatch, generator: torch.Generator | None = None
    ) -> tuple[Float[Tensor, "b n a"], Float[Tensor, "b n a"]]:
        """Generate a chunk for each observation, and subtract the demonstrated one.

        Returns:
            Errors in the actions' units, and normalized.
        """
        noise = self.noise(len(batch.obs), generator)
        error = self.generate(batch.obs, batch.images, noise, generator) - batch.act.transpose(1, 2)
        return error, error / divisor(self.act_scale)

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
            if name == "act_scale":  # earlier versions had 1 for a constant
                theirs, ours = (tuple(x or 1.0 for x in scale or ()) for scale in (theirs, ours))
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
        if self.clip is not None:
            x = x.clamp(-self.clip, self.clip)
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
