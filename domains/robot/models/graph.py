"""A policy as a graph for export: observations and noise in, a chunk of actions out."""

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.export import Graph
from oneleap.core.sampling.samplers import (
    ConsistencySampler,
    DDIMSampler,
    EulerSampler,
    FlowMapSampler,
)
from oneleap.domains.robot.models.policy import RobotPolicy


class ChunkGenerator(nn.Module):
    """Generates one chunk of actions per observation, with normalization inside.

    Standard normal noise is an input, (n, a, horizon): the runtime then needs no random generator,
    and results can be reproduced. Rotations of absolute actions stay in the six-number form.

    Args:
        policy: Policy; the moving average of its network acts.
    """

    def __init__(self, policy: RobotPolicy) -> None:
        super().__init__()
        self.net = policy.average
        self._policy = [policy]  # in a list, so that the graph has no weights but the average's

    def forward(
        self,
        obs: Float[Tensor, "n steps o"],
        noise: Float[Tensor, "n a horizon"],
        images: UInt8[Tensor, "n cameras steps 3 h w"] | None = None,
    ) -> Float[Tensor, "n k a"]:
        """Return the actions to execute, in the data's units."""
        policy = self._policy[0]
        chunk = policy.generate(obs, images, noise)[:, : policy.n_action_steps]
        if policy.gripper == "threshold":
            chunk = torch.cat([chunk[..., :-1], chunk[..., -1:].sign()], dim=-1)
        return chunk


def policy_graph(policy: RobotPolicy, seed: int = 0) -> Graph:
    """Describe the graph ``policy(obs, noise[, images]) -> action``.

    Args:
        policy: Policy to export.
        seed: Seed of the inputs on which the graph is checked.

    Raises:
        InputError: The sampler cannot be exported, because it draws noise at each step.
    """
    spec, sampler = policy.spec, policy.sampler
    one_step = isinstance(sampler, ConsistencySampler) and sampler.steps == 1
    if not (one_step or isinstance(sampler, FlowMapSampler | EulerSampler | DDIMSampler)):
        raise InputError(
            f"a {type(sampler).__name__} of {sampler.steps} steps cannot be exported: distill the "
            "policy, or train one with a deterministic sampler"
        )
    generator = torch.Generator().manual_seed(seed)

    def draw(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        shape = (n, spec.n_obs_steps, spec.obs_dim)
        obs = torch.randn(shape, generator=generator) * policy.obs_scale + policy.obs_shift
        inputs: tuple[Tensor, ...] = (obs, policy.noise(n, generator))
        if spec.cameras:
            size = (n, len(spec.cameras), spec.n_obs_steps, 3, *spec.image_size)
            inputs += (torch.randint(0, 256, size, generator=generator, dtype=torch.uint8),)
        images = inputs[2] if spec.cameras else None
        with torch.inference_mode():
            expected = policy.generate(obs, images, inputs[1])[:, : policy.n_action_steps]
            if policy.gripper == "threshold":
                expected[..., -1] = expected[..., -1].sign()
        return inputs, expected

    names = ("obs", "noise", "images") if spec.cameras else ("obs", "noise")
    return Graph("policy", ChunkGenerator(policy), names, "action", draw)
