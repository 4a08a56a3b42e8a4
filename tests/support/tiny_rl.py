"""What tests of reinforcement learning share: small settings, critics, a bandit, data sets."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import lightning as L
import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import layer_norm, mish

from oneleap.core.objectives import MeanFlow
from oneleap.core.sampling.samplers import EulerSampler
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.recipe import Recipe
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.bfq import Bootstrap
from oneleap.domains.rl.algorithms.dql import DQL
from oneleap.domains.rl.algorithms.flow.drifting import DFP, Drifting
from oneleap.domains.rl.algorithms.flow.dsrl import DSRL
from oneleap.domains.rl.algorithms.flow.fbrac import FBRAC
from oneleap.domains.rl.algorithms.flow.fql import FQL
from oneleap.domains.rl.algorithms.flow.ifql import IFQL
from oneleap.domains.rl.algorithms.flow.meanflow_ql import MeanFlowQL, ResidualMeanFlow
from oneleap.domains.rl.algorithms.idql import IDQL
from oneleap.domains.rl.algorithms.iql import IQL
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.algorithms.rebrac import ReBRAC
from oneleap.domains.rl.data.transitions import OfflineDataset, Transitions
from oneleap.domains.rl.data.validation import DIMENSIONS
from oneleap.domains.rl.nets.config import CriticConfig, NetworkConfig
from oneleap.domains.rl.nets.critics import Critic
from oneleap.domains.rl.spec import Spec


def plain(ema: float = 0.995, **settings: Any) -> Recipe:
    """Settings of training without compilation."""
    return Recipe(ema=ema, compile=False, **settings)


SPEC = Spec(3, 2, (0.5, -1.0, 2.0), (2.0, 0.5, 1.0), (-1.0, -2.0), (1.0, 4.0))
TINY: dict[str, Any] = {"network": NetworkConfig(8, 1, 4), "recipe": plain()}
ALGORITHMS: dict[str, Callable[[Spec], ActorCritic]] = {
    "ofql": lambda spec: OFQL(spec, MeanFlow(), **TINY),
    "bfq": lambda spec: OFQL(spec, Bootstrap(), **TINY),
    "dql": lambda spec: DQL(spec, steps=2, num_action_samples=6, **TINY),
    "fql": lambda spec: FQL(spec, flow_steps=2, **TINY),
    "fbrac": lambda spec: FBRAC(spec, steps=2, **TINY),
    "iql": lambda spec: IQL(spec, std_scale=0.5, **TINY),
    "idql": lambda spec: IDQL(spec, steps=2, num_action_samples=6, **TINY),
    "rebrac": lambda spec: ReBRAC(spec, **TINY),
    "ifql": lambda spec: IFQL(spec, steps=2, num_action_samples=6, **TINY),
    "meanflow-ql": lambda spec: MeanFlowQL(spec, ResidualMeanFlow(consistency=0.5), **TINY),
    "dfp": lambda spec: DFP(
        spec,
        Drifting(3, (0.1, 0.5), target_ema=0.9),
        improvement=0.5,
        candidates=4,
        positives=2,
        num_action_samples=3,
        **TINY,
    ),
    "dsrl": lambda spec: DSRL(spec, sampler=EulerSampler(2), **TINY),
}
SMALL: dict[str, Any] = {"network": NetworkConfig(16, 2, 8), "recipe": plain()}


def fast(ema: float = 0.995, **critic: Any) -> dict[str, Any]:
    """Settings that learn the bandit in a few hundred steps.

    Args:
        ema: Decay of the policy's average.
        critic: Settings of the critics.
    """
    return {
        "network": NetworkConfig(32, 2, 8),
        "recipe": plain(ema, optimizer=AdamConfig(lr=3e-3)),
        "critic_config": CriticConfig(optimizer=AdamConfig(lr=1e-2), **critic),
    }


UNIFORM = 1.875
"""Mean distance from the bandit's best action of its data's actions."""


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def scrambled(module: nn.Module, seed: int) -> None:
    """Give a target network weights of its own, so that mixing them up shows."""
    g = seeded(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.add_(0.3 * torch.randn(p.shape, generator=g))


def q_of(critic: Critic, member: int, s: Tensor, a: Tensor) -> Tensor:
    """One member, layer by layer."""
    h = torch.cat([s, a], 1)
    for k, (w, b) in enumerate(zip(critic.weights, critic.biases, strict=True)):
        h = h @ w[member] + b[member]
        if k < critic.depth:
            h = mish(layer_norm(h, (critic.width,)) if critic.layer_norm else h)
    return h[:, 0]


def both(critic: Critic, s: Tensor, a: Tensor) -> Tensor:
    """The two members of an ensemble, (2, b)."""
    return torch.stack([q_of(critic, k, s, a) for k in range(2)])


def same_gradients(found: dict[str, Tensor], loss: Tensor, module: nn.Module) -> None:
    """``found`` is the gradient of ``loss`` in all weights of ``module``, and in no others."""
    named = dict(module.named_parameters())
    expected = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    assert found.keys() == named.keys()
    for name, gradient in zip(named, expected, strict=True):
        wanted = torch.zeros_like(named[name]) if gradient is None else gradient
        torch.testing.assert_close(found[name], wanted, atol=2e-6, rtol=1e-4)


def trainer(steps: int) -> L.Trainer:
    return L.Trainer(
        max_steps=steps,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def train(policy: Policy, steps: int, batches: Iterator[Transitions]) -> None:
    """Take some gradient steps."""
    trainer(steps).fit(policy.lightning_module(), batches)


def bandit(n: int = 128) -> Iterator[Transitions]:
    """One-step episodes; the reward is higher the nearer the second action is to 2.5 (of -2..4)."""
    for k in itertools.count():
        g = seeded(k)
        low, high = torch.tensor([-1.0, -2.0]), torch.tensor([1.0, 4.0])
        act = low + (high - low) * torch.rand(n, 2, generator=g)
        obs = torch.randn(n, 3, generator=g)
        reward = 5 - (act[:, 1] - 2.5).abs()
        follows = torch.full_like(act, torch.nan)
        yield Transitions(obs, act, reward, obs, torch.zeros(n), follows)


def in_chunks(batches: Iterator[Transitions], h: int) -> Iterator[Transitions]:
    """Batches whose actions are chunks of ``h``; every third chunk leaves its episode."""
    for b in batches:
        n = len(b.act)
        left = torch.where(torch.arange(n) % 3 == 0, 1 + torch.arange(n) % h, h)
        valid = torch.arange(h) < left[:, None]
        act = torch.cat([b.act.roll(i, 0) for i in range(h)], 1)
        follows = None if b.next_act is None else torch.cat([b.next_act] * h, 1)
        yield b._replace(act=act, next_act=follows, valid=valid)


def fields(n=12, obs=3, act=2):
    rng = np.random.default_rng(0)
    sizes = {"observations": (n, obs), "next_observations": (n, obs), "actions": (n, act)}
    found = {name: rng.uniform(-1, 1, sizes.get(name, n)) for name in DIMENSIONS}
    return found | {"terminals": np.zeros(n, bool), "timeouts": np.arange(n) % 4 == 3}


def dataset(reward, bounds, terminal=None, timeout=None, next_obs=None) -> OfflineDataset:
    n = len(reward)
    zeros = torch.zeros(n)
    obs = torch.arange(2.0 * n).reshape(n, 2)
    return OfflineDataset(
        obs,
        torch.zeros(n, 1),
        torch.as_tensor(reward),
        obs + 2 if next_obs is None else next_obs,
        zeros if terminal is None else terminal,
        zeros if timeout is None else timeout,
        torch.tensor(bounds),
    )


def images(n: int, size: int = 8, seed: int = 0) -> np.ndarray:
    g = np.random.default_rng(seed)
    return g.integers(0, 256, (n, size, size, 3), dtype=np.uint8)
