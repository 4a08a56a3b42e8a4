"""``oneleap export`` for robot policies: observations and noise in, a chunk of actions out."""

from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.export import Format, Graph, export_graphs
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
        InputError: The sampler draws noise at each step.
    """
    spec, sampler = policy.spec, policy.sampler
    one_step = isinstance(sampler, ConsistencySampler) and sampler.steps == 1
    if not (one_step or isinstance(sampler, FlowMapSampler | EulerSampler | DDIMSampler)):
        raise InputError(
            f"a {type(sampler).__name__} of {sampler.steps} steps draws noise at each step and "
            "cannot be exported: distill the policy, or train one with few steps"
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


def export(run: Path, format: Format = "onnx", tolerance: float = 1e-4) -> None:
    """Write a robot policy as one graph, with normalization inside.

    The inputs are ``obs`` (n, steps, o), the low-dimensional observations concatenated in the order
    of the model's ``config.json``; ``noise`` (n, a, horizon), standard normal; and, if the policy
    sees images, ``images`` (n, cameras, steps, 3, h, w), uint8. The output ``action`` (n, k, a)
    holds k actions to execute one after the other. The graph is written to RUN/model, compared with
    the policy, and timed; the model card lists the results.

    Example: oneleap export runs/robot/dm1_lift/0 --format onnx

    Args:
        run: Folder of the run.
        format: Format of the file.
        tolerance: Largest accepted difference from the policy, in the unit of the actions.

    Raises:
        InputError: ``run`` holds no robot policy, or the graph differs from the policy.
    """
    folder = run if (run / "config.json").is_file() else run / "model"
    policy = RobotPolicy.from_pretrained(folder)
    (path,) = export_graphs([policy_graph(policy)], folder, format, tolerance)
    print(f"next: python examples/robot_loop.py {folder}" if format == "onnx" else path)
