"""A policy as a graph for export: observation and noise in, an action of the environment out."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.hub.export import Graph
from oneleap.core.types import Conditioned
from oneleap.domains.rl.algorithms.policy import Policy


class OneAction(nn.Module):
    """One action for each observation.

    Normalization and the range of the actions are part of the module. The noise is an input,
    standard normal, so that a runtime needs no generator and results can be repeated: (n, a), or
    (n, k, a) for a policy with k denoising steps, whose chain is unrolled. A policy with chunks of
    h actions takes noise (n, h * a) and returns chunks (n, h, a).

    Args:
        policy: The policy; its average acts.
        steps: Network calls; by default the policy's own number.
    """

    def __init__(self, policy: Policy, steps: int | None = None) -> None:
        super().__init__()
        self.net, self.steps = policy.average, steps
        self._policy = [policy]  # in a list, its critics are not part of the weights of the graph

    def forward(
        self, obs: Float[Tensor, "n o"], noise: Float[Tensor, "n *k a"]
    ) -> Float[Tensor, "n *h a"]:
        """Actions in the range of the environment."""
        policy = self._policy[0]
        field = Conditioned(self.net, (policy.normalize_obs(obs),))
        noise = noise if noise.ndim == 2 else noise.movedim(0, 1)
        a = torch.addcmul(
            policy.act_center, policy.generate(field, noise, self.steps), policy.act_half
        )
        spec = policy.spec
        return a if spec.chunk == 1 else a.reshape(a.shape[0], spec.chunk, spec.act_dim)


def policy_graph(policy: Policy, steps: int | None = None, seed: int = 0) -> Graph:
    """Describe a policy as a graph ``policy(obs, noise) -> action``.

    Args:
        policy: The policy.
        steps: Network calls; by default the policy's own number.
        seed: Seed of the inputs on which the graph is compared with :meth:`Policy.act`.

    Returns:
        The graph.
    """
    draws = torch.Generator().manual_seed(seed)
    mean, std = torch.tensor(policy.spec.obs_mean), torch.tensor(policy.spec.obs_std)
    if policy.spec.image:
        mean, std = torch.tensor(128.0), torch.tensor(40.0)

    def draw(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        obs = torch.randn(n, policy.spec.obs_dim, generator=draws) * std + mean
        word = int(torch.randint(2**31, (1,), generator=draws))
        for_noise, for_action = (torch.Generator().manual_seed(word) for _ in range(2))
        noise = policy.noise(n, for_noise)
        noise = noise if noise.ndim == 2 else noise.movedim(1, 0)
        action = torch.from_numpy(
            policy.plan(obs.numpy(), steps=steps, num_action_samples=1, generator=for_action)
        )
        return (obs, noise.contiguous()), action if policy.spec.chunk > 1 else action[:, 0]

    return Graph("policy", OneAction(policy, steps), ("obs", "noise"), "action", draw)
