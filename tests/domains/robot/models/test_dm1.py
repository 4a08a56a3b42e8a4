import math
from dataclasses import replace

import pytest
import torch
from support.exact import Gaussian, seeded
from support.tiny_robot import EYE, spec
from torch import nn

from oneleap.core.errors import InputError
from oneleap.core.losses.dispersion import Covariance, Dispersion, Hinge, InfoNCECosine, InfoNCEL2
from oneleap.core.objectives import FlowMatching
from oneleap.core.training.recipe import Recipe
from oneleap.core.types import Draw, TrainingBatch
from oneleap.domains.robot.data.chunks import ChunkBatch
from oneleap.domains.robot.evaluation.rank import effective_rank
from oneleap.domains.robot.models.dm1 import (
    DM1,
    ReleasedDM1,
    ReleasedInfoNCE,
    stage_names,
)
from oneleap.domains.robot.models.nets import STAGES, Head, MLPHead, UNetHead
from oneleap.domains.robot.models.policy import RobotPolicy

FORMS = [InfoNCEL2(), InfoNCECosine(), Hinge(), Covariance()]
EAGER = Recipe()
"""Losses are not compiled."""
HEADS = [MLPHead(16), MLPHead(16, depth=3), UNetHead((8, 16), context_dim=8)]


def batch(n: int = 8, images: bool = False) -> ChunkBatch:
    g = seeded(3)
    pixels = torch.randint(0, 256, (n, 1, 1, 3, 24, 24), generator=g, dtype=torch.uint8)
    obs, act = torch.randn(n, 1, 5, generator=g), torch.randn(n, 7, 4, generator=g)
    return ChunkBatch(obs, act, pixels if images else None)


def dispersed(policy: RobotPolicy, of: ChunkBatch) -> dict[str, float]:
    draw = policy.objective.draw(policy.data(of), seeded())
    return {k: float(v) for k, v in policy.loss(of, draw).logs.items()}


@pytest.mark.parametrize("form", FORMS, ids=lambda f: type(f).__name__)
@pytest.mark.parametrize("head", HEADS, ids=["mlp", "deep", "unet"])
def test_the_dispersion_is_the_mean_over_the_named_layers(form: Dispersion, head: Head) -> None:
    terms = {}
    for layers in (*((stage,) for stage in STAGES), ("all",)):
        objective = DM1(FlowMatching(), form, layers)
        policy = RobotPolicy(spec(), objective, head=head, recipe=EAGER)
        terms[layers[0]] = dispersed(policy, batch())["dispersion"]
    stages = [terms[stage] for stage in STAGES]
    assert all(map(math.isfinite, stages))
    assert len({round(term, 6) for term in stages}) > 1  # they are different layers
    assert terms["all"] == pytest.approx(sum(stages) / len(stages), rel=1e-4)


def test_the_condition_is_the_normalized_observation() -> None:
    policy = RobotPolicy(spec(), DM1(FlowMatching(), layers=("cond",)), recipe=EAGER)
    of = batch()
    wanted = InfoNCEL2()(policy.normalize_obs(of.obs))
    assert dispersed(policy, of)["dispersion"] == pytest.approx(float(wanted), rel=1e-5)


def test_the_weighted_term_is_added_to_every_row() -> None:
    of, losses = batch(), []
    for weight in (0.0, 0.5):
        objective = DM1(FlowMatching(), layers=("mid",), weight=weight)
        policy = RobotPolicy(spec(), objective, head=MLPHead(16), recipe=EAGER)
        losses.append(policy.loss(of, objective.draw(policy.data(of), seeded())))
    extra = losses[1].per_sample - losses[0].per_sample
    torch.testing.assert_close(extra, (0.5 * losses[1].logs["dispersion"]).expand(len(extra)))


def test_minimizing_the_term_raises_the_rank_of_the_vision_encoders_output() -> None:
    objective = DM1(FlowMatching(), layers=("cond",))
    seen = spec(cameras=(EYE,), image_size=(24, 24))
    policy = RobotPolicy(seen, objective, head=MLPHead(16), recipe=EAGER)
    of = batch(16, images=True)
    assert of.images is not None
    of = of._replace(images=of.images // 32 + 100)  # similar, like a robot's images
    ranks = []
    optimizer = torch.optim.Adam(policy.net.parameters(), 1e-3)
    draw = objective.draw(policy.data(of), seeded())
    for _ in range(30):
        with torch.no_grad():
            ranks.append(effective_rank(policy.net.encode(policy.normalize_obs(of.obs), of.images)))
        optimizer.zero_grad()
        policy.loss(of, draw).per_sample.mean().backward()
        optimizer.step()
    assert ranks[-1] > ranks[0]


def test_missing_layers_are_reported() -> None:
    with pytest.raises(InputError, match=r"layers: no layer 'midd'.*mid"):
        RobotPolicy(spec(), DM1(layers=("midd",)))
    with pytest.raises(InputError, match="DM1 is for robot policies"):
        stage_names(nn.Linear(2, 2), ("mid",))


def test_a_submodule_may_be_named_itself() -> None:
    policy = RobotPolicy(spec(), DM1(FlowMatching()), head=MLPHead(16, depth=2))
    assert stage_names(policy.net, ("head.net.blocks.1", "late")) == ("head.net.blocks.1",) * 2


def test_the_released_term_by_hand() -> None:
    """Three points on a line, at 0, 1 and 7, with tau = 1/2: S is -2, -12 and -14, clamped."""
    h = torch.tensor([[0.0], [1.0], [7.0]])
    rows = [[10.0, 2.0, 10.0], [2.0, 10.0, 10.0], [10.0, 10.0, 10.0]]  # the diagonal included
    wanted = -torch.tensor(rows).logsumexp(1).mean()
    torch.testing.assert_close(ReleasedInfoNCE(0.5)(h), wanted)


def test_the_released_term_pushes_far_pairs_most_and_the_intended_term_near_pairs() -> None:
    h = torch.tensor([[0.0], [0.5], [40.0], [44.0], [90.0], [96.0]], requires_grad=True)
    forces = {}
    for form in (ReleasedInfoNCE(), InfoNCEL2()):
        (gradient,) = torch.autograd.grad(form(h), h)
        forces[type(form)] = gradient[1::2, 0].tolist()  # of the right row of each pair
    near, far, farthest = forces[ReleasedInfoNCE]
    assert far < 10 * near < 0
    assert farthest == 0  # beyond 10 tau
    near, far, farthest = forces[InfoNCEL2]
    assert near < 10 * far <= 10 * farthest <= 0


@pytest.mark.parametrize("form", [*FORMS, ReleasedInfoNCE()], ids=lambda f: type(f).__name__)
def test_equal_rows_have_finite_gradients(form: Dispersion) -> None:
    h = torch.ones(4, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(form(h), h)
    assert gradient.isfinite().all()


def test_released_dm1_is_meanflow_and_a_term_of_a_second_pass() -> None:
    of = batch()
    without, by_half = (
        RobotPolicy(spec(), ReleasedDM1(weight), head=MLPHead(16), recipe=EAGER)
        for weight in (0.0, 0.5)
    )
    for policy in (without, by_half):
        for weight in policy.net.parameters():
            weight.data *= 5  # at initialization, embeddings of times hardly differ
    draw = by_half.objective.draw(by_half.data(of), seeded())
    assert draw.s is not None
    assert draw.ramp is not None
    assert (draw.ramp > draw.s).any()  # either time may be the greater
    plain, loss = without.loss(of, draw), by_half.loss(of, draw)
    extra = loss.per_sample - plain.per_sample
    torch.testing.assert_close(
        extra, (0.5 * loss.logs["dispersion"]).expand(len(extra)), rtol=1e-4, atol=0
    )
    moved = by_half.loss(of, replace(draw, s=draw.s.square()))
    assert not torch.equal(moved.logs["dispersion"], loss.logs["dispersion"])
    with pytest.raises(ValueError, match="its own draw"):
        by_half.loss(of, replace(draw, s=None))


def test_released_dm1_has_no_loss_on_the_exact_field() -> None:
    """Its MeanFlow part, on data whose mean velocity is known."""
    truth = Gaussian(std=0.0)
    objective = ReleasedDM1()
    x = torch.full((8, 3), truth.mean, dtype=torch.float64)
    draw = objective.draw(x, seeded())
    loss = objective._meanflow.loss(TrainingBatch(field=truth, x=x), Draw(draw.e, draw.r, draw.t))
    assert loss.per_sample.max() < 1e-20
