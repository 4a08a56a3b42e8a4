"""The compiled step does what the plain step does, which calls the optimizer."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.tiny_rl import ALGORITHMS, SPEC, bandit, trainer

from oneleap.core.training.optim import AdamConfig
from oneleap.domains.rl.algorithms import compiled_step
from oneleap.domains.rl.algorithms.actor_critic import ActorCritic
from oneleap.domains.rl.algorithms.compiled_step import has_state
from oneleap.domains.rl.algorithms.training import ActorCriticModule

ADAM = AdamConfig(lr=3e-3, weight_decay=0.01, cosine=True, clip=0.3)


def trained(name: str, compiles: bool, steps: int = 6) -> tuple[ActorCritic, dict[str, object]]:
    """A policy after some steps, and the state of its optimizer."""
    policy = ALGORITHMS[name](SPEC)
    policy.recipe = replace(policy.recipe, optimizer=ADAM, compile=compiles)
    policy.critic_config = replace(policy.critic_config, optimizer=ADAM, tau=0.3)
    fitting, module = trainer(steps), policy.lightning_module()
    assert isinstance(module, ActorCriticModule)
    fitting.fit(module, bandit(16))
    assert fitting.global_step == steps
    assert (module.compiled_step is not None) == compiles
    return policy, fitting.optimizers[0].state_dict()


@pytest.mark.parametrize("name", ALGORITHMS)
def test_it_does_what_the_plain_step_does(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def uncompiled(function: Callable[..., object], **_: object) -> Callable[..., object]:
        return function

    monkeypatch.setattr(compiled_step, "compiled", uncompiled)
    (graph, mine), (plain, theirs) = trained(name, True), trained(name, False)
    torch.testing.assert_close(graph.state_dict(), plain.state_dict(), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_it_takes_the_learning_rate_of_the_optimizer(monkeypatch: pytest.MonkeyPatch) -> None:
    rates: list[torch.Tensor] = []

    def watched(function: Callable[..., object], **_: object) -> Callable[..., object]:
        def call(batch: object, draw: object, lr: torch.Tensor, whole: bool) -> object:
            rates.append(lr)
            return function(batch, draw, lr, whole)

        return call

    monkeypatch.setattr(compiled_step, "compiled", watched)
    trained("ofql", True, steps=4)
    wanted = [[ADAM.lr * ADAM.factor(k, 4)] * 2 for k in range(1, 4)]
    torch.testing.assert_close(torch.stack(rates), torch.tensor(wanted))


def test_an_optimizer_has_state_after_its_first_step() -> None:
    policy = ALGORITHMS["ofql"](SPEC)
    groups = [{"params": list(m.parameters())} for m in (policy.net, policy.critic)]
    optimizer = torch.optim.AdamW(groups)
    assert not has_state(optimizer)
    for group in groups:
        for p in group["params"]:
            p.grad = torch.ones_like(p)
    optimizer.step()
    assert has_state(optimizer)


# In a process of its own: the checks of shapes that this test run switches on do not compile.
COMPILED = """
from dataclasses import replace
import torch
from support.tiny_rl import ALGORITHMS, SPEC, bandit, in_chunks, seeded
from oneleap.domains.rl.algorithms.compiled_step import CompiledStep

torch.set_num_threads(1)

def begun(policy):
    groups = [{"params": list(m.parameters())} for m in (policy.net, policy.critic)]
    optimizer = torch.optim.AdamW(groups)
    for group in groups:
        for p in group["params"]:
            p.grad = torch.ones_like(p)
    optimizer.step()
    settings = policy.recipe.optimizer, policy.critic_config.optimizer
    return CompiledStep(policy, optimizer, settings, policy.critic_config.tau)

CHUNKED = {"ofql": 2, "fql": 2, "iql": 2, "dsrl": 2}  # of each way to treat chunks, one
cases = [(name, 1) for name in ALGORITHMS] + list(CHUNKED.items())
for name, chunk in cases:
    torch._dynamo.reset()
    fast, plain = (begun(ALGORITHMS[name](replace(SPEC, chunk=chunk))) for _ in range(2))
    run = torch.compile(fast.run, backend="{backend}", fullgraph=True, dynamic=False)
    batches = bandit(16) if chunk == 1 else in_chunks(bandit(16), chunk)
    for k in range(3):
        batch, lr = next(batches), torch.tensor([1e-3, 2e-3]) / (k + 1)
        draw = plain.model.draw(batch, seeded(k))
        with torch.no_grad(), torch._dynamo.config.patch(error_on_recompile=k > 0):
            mine, theirs = run(batch, draw, lr, True), plain.run(batch, draw, lr, True)
        torch.testing.assert_close(mine, theirs, rtol=1e-3, atol=1e-4, msg=name)
    pair = (graph.model.state_dict() for graph in (fast, plain))
    torch.testing.assert_close(*pair, rtol=1e-3, atol=1e-4, msg=name)
"""


@pytest.mark.parametrize("backend", ["eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_every_step_compiles_as_one_graph_and_once(backend: str) -> None:
    paths = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    script, env = COMPILED.replace("{backend}", backend), {**os.environ, "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", script], env=env, check=True, timeout=1200)
