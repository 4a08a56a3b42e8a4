"""``oneleap export`` for policies of robots: observations and noise in, a chunk of actions out."""

from pathlib import Path

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.export import Format, Graph, export_graphs
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.sampling.samplers import (
    ConsistencySampler,
    DDIMSampler,
    EulerSampler,
    FlowMapSampler,
)
from oneleap.domains.robot.models.policy import RobotPolicy


class OneChunk(nn.Module):
    """One chunk for each observation; normalisation is inside.

    Noise is an input, standard normal, (n, a, chunk), so that a runtime without a generator will
    do and results can be repeated. Of absolute actions the rotation is left as six numbers.

    Args:
        policy: Whose average acts.
    """

    def __init__(self, policy: RobotPolicy) -> None:
        super().__init__()
        self.net = policy.average
        self._policy = [policy]  # in a list, what it trains is no part of the graph's weights

    def forward(
        self,
        obs: Float[Tensor, "n steps o"],
        noise: Float[Tensor, "n a chunk"],
        images: UInt8[Tensor, "n cameras steps 3 h w"] | None = None,
    ) -> Float[Tensor, "n k a"]:
        """Actions to execute, in the data's units."""
        policy = self._policy[0]
        chunk = policy.generate(obs, images, noise)[:, : policy.execute]
        if policy.gripper == "threshold":
            chunk = torch.cat([chunk[..., :-1], chunk[..., -1:].sign()], dim=-1)
        return chunk


def graph_of(policy: RobotPolicy, seed: int = 0) -> Graph:
    """The policy as a graph ``policy(obs, noise[, images]) -> action``.

    Raises:
        InputError: Its sampler draws noise in each step.
    """
    spec, sampler = policy.spec, policy.sampler
    once = isinstance(sampler, ConsistencySampler) and sampler.steps == 1
    if not (once or isinstance(sampler, FlowMapSampler | EulerSampler | DDIMSampler)):
        raise InputError(
            f"a {type(sampler).__name__} sampler of {sampler.steps} steps cannot be put into a "
            "graph: distil the policy, or train one of few steps"
        )
    draws = torch.Generator().manual_seed(seed)
    module = OneChunk(policy)

    def draw(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        shape = (n, spec.obs_steps, spec.obs_dim)
        obs = torch.randn(shape, generator=draws) * policy.obs_scale + policy.obs_shift
        inputs: tuple[Tensor, ...] = (obs, policy.noise(n, draws))
        if spec.cameras:
            size = (n, len(spec.cameras), spec.obs_steps, 3, *spec.image_size)
            inputs += (torch.randint(0, 256, size, generator=draws, dtype=torch.uint8),)
        images = inputs[2] if spec.cameras else None
        with torch.inference_mode():
            wanted = policy.generate(obs, images, inputs[1])[:, : policy.execute]
            if policy.gripper == "threshold":
                wanted[..., -1] = wanted[..., -1].sign()
        return inputs, wanted

    names = ("obs", "noise", "images") if spec.cameras else ("obs", "noise")
    return Graph("policy", module, names, "action", draw)


def export(run: Path, format: Format = "onnx", tolerance: float = 1e-4) -> None:
    """Write a policy of a robot as one graph, normalisation inside.

    Inputs are ``obs`` (n, steps, o), the low-dimensional observations side by side in the order
    of the model's ``config.json``, standard normal ``noise`` (n, a, chunk), and ``images`` (n,
    cameras, steps, 3, h, w), uint8, if the policy has eyes. The output ``action`` is (n, k, a), k
    actions to execute one after the other. It is written to RUN/model, compared with the policy
    there in its own runtime, and timed; the model card tells the result.

    Example: oneleap export runs/robot/dm1_lift/0 --format onnx

    Args:
        run: Folder of the run.
        format: For ONNX Runtime, or for libtorch.
        tolerance: Greatest difference from the policy that is let pass, in the actions' unit.

    Raises:
        InputError: There is no policy in ``run``, or the graph differs from it.
    """
    folder = run if (run / "config.json").is_file() else run / "model"
    policy = load_pretrained(folder)
    if not isinstance(policy, RobotPolicy):
        raise InputError(f"{folder} holds a {type(policy).__name__}, not a policy of a robot")
    (path,) = export_graphs([graph_of(policy)], folder, format, tolerance)
    print(f"next: python examples/robot_loop.py {folder}" if format == "onnx" else path)
