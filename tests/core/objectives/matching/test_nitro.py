"""NitroFusion: its gradient is that of a divergence; its judges differ and are renewed."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import lightning as L
import pytest
import torch
from support.exact import Gaussian, seeded
from support.matching.bench import Bench, kl_gradient, pushed_gradient
from support.tiny_generative import Endless, Toy, batch, trainer
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.nets.beside.judges import JudgePool
from oneleap.core.objectives import FlowMatching, NitroFusion
from oneleap.core.objectives.matching import nitro
from oneleap.core.paths.base import expand
from oneleap.core.training import model as models
from oneleap.core.training.module import TrainingModule
from oneleap.core.types import Draw, SecondNetworks, TrainingBatch

BENCH = Bench()
Heads = Callable[[Tensor, Tensor], Tensor]


class Reader(nn.Module):
    """A network whose hidden layer is its input, with the time as a second channel."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Identity()

    def forward(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        h: Tensor = self.inner(torch.cat([z, expand(t, z).expand_as(z)], dim=1))
        return h[:, :1]


def pooled(bench: Bench, objective: NitroFusion) -> Callable[[TrainingBatch], TrainingBatch]:
    """Give a batch heads that all know ``log p_t - log q_t``, on the frozen layer."""
    reader = Reader()
    objective.attend(reader)

    def heads(h: Tensor, index: Tensor) -> Tensor:
        return bench.log_ratio(h[..., 0], h[..., 1])

    second = SecondNetworks(fake=reader, frozen_fake=reader, heads=heads, frozen_heads=heads)
    return lambda b: replace(b, second=second)


@pytest.mark.parametrize("t", [0.1, 0.35, 0.6, 0.9])
def test_the_best_judge_gives_the_gradient_of_the_divergence(t: float) -> None:
    objective = NitroFusion(layers=("inner",))
    found = pushed_gradient(objective, BENCH, t, change=pooled(BENCH, objective))
    torch.testing.assert_close(found, kl_gradient(BENCH, t), rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("bench", [Bench(a=0.5, b=0.7), Bench(a=-0.5, b=0.7)])
def test_the_gradient_is_zero_at_the_optimum(bench: Bench) -> None:
    objective = NitroFusion(layers=("inner",))
    found = pushed_gradient(objective, bench, change=pooled(Bench(a=0.5, b=0.7), objective))
    assert found.abs().max() < 1e-12


def negated(heads: Heads) -> Heads:
    return lambda h, index: -heads(h, index)


def blind(heads: Heads) -> Heads:
    return lambda h, index: heads(h.detach(), index)


def test_mutants_miss_the_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = kl_gradient(BENCH)
    objective = NitroFusion(layers=("inner",))
    change = pooled(BENCH, objective)

    def mutated(mutant: Any) -> Callable[[TrainingBatch], TrainingBatch]:
        def changed(b: TrainingBatch) -> TrainingBatch:
            second = change(b).second
            assert second is not None
            assert second.frozen_heads is not None
            return replace(b, second=replace(second, frozen_heads=mutant(second.frozen_heads)))

        return changed

    found = pushed_gradient(objective, BENCH, change=mutated(negated))
    assert (found - wanted).abs().max() > 1e-2
    with pytest.raises(RuntimeError, match=r"been used in the graph|does not require grad"):
        pushed_gradient(objective, BENCH, change=mutated(blind))
    clean = nitro.noised
    monkeypatch.setattr(nitro, "noised", lambda b, x, d: clean(b, x, replace(d, t=0 * d.t)))
    found = pushed_gradient(objective, BENCH, change=change)
    assert (found - wanted).abs().max() > 1e-2


def test_the_hinge_rests_beyond_its_margin_and_tells_data_from_samples() -> None:
    objective = NitroFusion(layers=("inner",))
    reader, gain = Reader(), torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    objective.attend(reader)

    def heads(h: Tensor, index: Tensor) -> Tensor:
        return gain * h[..., 0]

    second = SecondNetworks(fake=reader, frozen_fake=reader, heads=heads, frozen_heads=heads)
    one, t = torch.ones(4, 1).double(), torch.full((4,), 1e-6).double()
    draw = Draw(0 * one, t, t, head=torch.zeros(4, dtype=torch.long))
    apart = TrainingBatch(field=reader, x=one, second=second)
    loss = objective.fit(apart, -one, draw)
    assert loss.per_sample.abs().max() < 1e-12
    assert loss.logs["judge_right"] == 1.0
    wrong = objective.fit(replace(apart, x=-one), one, draw)
    torch.testing.assert_close(wrong.per_sample, torch.full((4,), 6.0).double(), rtol=1e-5, atol=0)
    (slope,) = torch.autograd.grad(wrong.per_sample.sum(), gain)
    assert slope > 0  # the head turns round


def test_every_row_has_a_head_of_its_noise_level() -> None:
    objective = NitroFusion(groups=4, heads=8)
    draw = objective.draw(torch.zeros(4000, 2), seeded())
    for part in (draw.judging, draw.fitting):
        assert part is not None
        assert part.head is not None
        assert torch.equal(part.head // 8, (part.t * 4).long().clamp(max=3))
        assert len(part.head.unique()) == 32


def test_even_heads_see_the_whole_and_odd_ones_the_frames() -> None:
    """A head that squares what it sees tells a mean of squares from a square of means."""

    class Frames(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Identity()

        def forward(self, z: Tensor, r: Tensor, t: Tensor) -> Tensor:
            h: Tensor = self.inner(z)
            return h

    objective, net = NitroFusion(layers=("inner",), frames=2, t_min=1e-9), Frames()
    objective.attend(net)

    def heads(h: Tensor, index: Tensor) -> Tensor:
        return h.square().sum(-1)

    second = SecondNetworks(fake=net, frozen_fake=net, heads=heads, frozen_heads=heads)
    x = torch.randn(2, 3, 6, generator=seeded(), dtype=torch.float64)
    mask = torch.ones(2, 1, 6, dtype=torch.bool)
    mask[:, :, 4:] = False
    t = torch.full((2,), 1e-12).double()
    b = TrainingBatch(field=net, x=x, mask=mask, second=second)
    draw = Draw(0 * x, t, t, head=torch.tensor([0, 1]))
    found = objective.verdict(b, x, draw, frozen=True)
    kept = x[..., :4]
    whole, local = kept.mean(2).square().sum(1), kept.square().sum(1).mean(1)
    torch.testing.assert_close(found, torch.stack([whole[0], local[1]]))


def test_a_renewed_head_is_new_and_the_others_are_not() -> None:
    pool = JudgePool(2, 4)
    before = [w.detach().clone() for w in pool.parameters()]
    pool.renew(torch.tensor([1, 5]), seeded(3))
    for old, new in zip(before, pool.parameters(), strict=True):
        changed = (old != new).flatten(1).any(1)
        assert not changed[[0, 2, 3, 4, 6, 7]].any()
    assert not torch.equal(before[0][1], pool.inward[1])
    assert len(pool.due(0.0, seeded())) == 0
    many = JudgePool(10, 100).due(0.3, seeded())
    assert len(many) == pytest.approx(300, abs=60)


@pytest.fixture
def teacher(monkeypatch: pytest.MonkeyPatch) -> Toy:
    model = Toy(FlowMatching(), seed=5)
    monkeypatch.setattr(models, "load_pretrained", lambda path: model)
    return model


def test_training_renews_heads_and_leaves_the_frozen_network_alone(teacher: Toy) -> None:
    objective = NitroFusion(groups=2, heads=4, refresh_rate=0.5)
    model = Toy(objective, teacher="folder")
    module = model.lightning_module()
    assert isinstance(module, TrainingModule)
    start = {k: w.clone() for k, w in model.net.state_dict().items()}
    trainer(4).fit(module, Endless(batch()))
    assert module.second is not None
    assert module.second.pool is not None
    for name, weight in teacher.average.state_dict().items():
        assert torch.equal(module.second.fake.state_dict()[name], weight)
    assert any(not torch.equal(start[k], w) for k, w in model.net.state_dict().items())
    assert set(model.state_dict()) == set(teacher.state_dict())


def test_a_run_that_is_resumed_ends_the_same(teacher: Toy, tmp_path: Any) -> None:
    def run(steps: int, resume: str | None = None) -> tuple[TrainingModule, L.Trainer]:
        torch.manual_seed(0)
        model = Toy(NitroFusion(groups=2, heads=4, refresh_rate=0.3), teacher="folder")
        module = model.lightning_module()
        assert isinstance(module, TrainingModule)
        fit = trainer(steps)
        fit.fit(module, Endless(batch()), ckpt_path=resume, weights_only=resume is not None or None)
        return module, fit

    whole, _ = run(4)
    _, half = run(2)
    half.save_checkpoint(tmp_path / "half.ckpt")
    resumed, _ = run(4, str(tmp_path / "half.ckpt"))
    assert whole.second is not None
    assert resumed.second is not None
    for mine, theirs in zip(whole.second.parameters(), resumed.second.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    for mine, theirs in zip(whole.model.parameters(), resumed.model.parameters(), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"heads": 1}, "at least 1 and 2"),
        ({"refresh_rate": 1.0}, "refresh_rate must be a share"),
        ({"layers": ("a", "b")}, "name one layer"),
        ({"fake_rank": 4}, "NitroFusion's second network is frozen"),
        ({"guidance": 2.0}, "judges see no guided teacher"),
    ],
)
def test_settings_that_cannot_be_are_refused(settings: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        NitroFusion(**settings)


def test_a_batch_without_judges_is_told() -> None:
    truth, x = Gaussian(0.7, 0.5), torch.zeros(16, 2)
    second = SecondNetworks(fake=truth, frozen_fake=truth)
    objective = NitroFusion()
    b = TrainingBatch(field=truth, x=x, teacher=truth, second=second)
    with pytest.raises(InputError, match="needs a pool of judges"):
        objective.loss(b, objective.draw(x, seeded()))
