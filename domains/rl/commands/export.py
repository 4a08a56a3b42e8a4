"""``oneleap export`` for policies: observation and noise in, an action of the environment out."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.export import Format, Graph, export_graphs
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.types import Conditioned
from oneleap.domains.rl.algorithms.policy import Policy


class OneAction(nn.Module):
    """One action for each observation, by a number of network calls.

    Normalisation and the action's range are inside. Noise is an input, standard normal, so that a
    runtime without a generator will do and results can be repeated: (n, a), or (n, k, a) for a
    policy of k denoising steps, whose chain is unrolled.

    Args:
        policy: Whose average acts.
        steps: Network calls; by default the policy's own number.
    """

    def __init__(self, policy: Policy, steps: int | None = None) -> None:
        super().__init__()
        self.net, self.steps = policy.average, steps
        self._policy = [policy]  # in a list its critics are no part of the graph's weights

    def forward(
        self, obs: Float[Tensor, "n o"], noise: Float[Tensor, "n *k a"]
    ) -> Float[Tensor, "n a"]:
        """Actions in the environment's range."""
        policy = self._policy[0]
        field = Conditioned(self.net, (policy.normalize_obs(obs),))
        noise = noise if noise.ndim == 2 else noise.movedim(0, 1)
        a = policy.generate(field, noise, self.steps)
        return torch.addcmul(policy.act_center, a, policy.act_half)


def graph_of(policy: Policy, steps: int | None = None, seed: int = 0) -> Graph:
    """The policy as a graph ``policy(obs, noise) -> action``; its check is :meth:`Policy.act`."""
    draws = torch.Generator().manual_seed(seed)
    mean, std = torch.tensor(policy.spec.obs_mean), torch.tensor(policy.spec.obs_std)
    if policy.spec.image:
        mean, std = torch.tensor(128.0), torch.tensor(40.0)

    def draw(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        obs = torch.randn(n, policy.spec.obs_dim, generator=draws) * std + mean
        word = int(torch.randint(2**31, (1,), generator=draws))
        again = (torch.Generator().manual_seed(word) for _ in range(2))
        noise = policy.noise(n, next(again))
        noise = noise if noise.ndim == 2 else noise.movedim(1, 0)
        action = policy.act(obs.numpy(), steps=steps, num_action_samples=1, generator=next(again))
        return (obs, noise.contiguous()), torch.from_numpy(action)

    return Graph("policy", OneAction(policy, steps), ("obs", "noise"), "action", draw)


def export(
    run: Path, format: Format = "onnx", steps: int | None = None, tolerance: float = 1e-5
) -> None:
    """Write a policy as one graph: inputs ``obs`` and standard normal ``noise``, output ``action``.

    It is written to RUN/model, compared with the policy there in its own runtime, and timed; the
    model card tells the result. The batch may have any size. Best of several candidates by value
    is not part of the graph.

    Example: oneleap export runs/rl/ofql_d4rl/0 --format onnx

    Args:
        run: Folder of the run.
        format: For ONNX Runtime, or for libtorch.
        steps: Network calls per action; by default the policy's own number.
        tolerance: Greatest difference from the policy that is let pass, in the actions' unit.

    Raises:
        InputError: There is no policy in ``run``, or the graph differs from it.
    """
    folder = run if (run / "config.json").is_file() else run / "model"
    policy = load_pretrained(folder)
    if not isinstance(policy, Policy):
        raise InputError(f"{folder} holds a {type(policy).__name__}, not a policy")
    if steps is not None and steps < 1:
        raise InputError(f"steps: {steps} is not positive")
    (path,) = export_graphs([graph_of(policy, steps)], folder, format, tolerance)
    if policy.num_action_samples > 1:
        print(f"one candidate an action; in oneleap this policy chooses among {policy.num_action_samples}")
    shape = "(n, a)" if policy.noise(1).ndim == 2 else f"(n, {policy.steps}, a)"
    print(f"{path}: obs (n, o), noise {shape} -> action (n, a), float32")
