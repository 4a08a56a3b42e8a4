"""Constant dimensions, equal bounds and small ranges, in every scaling."""

from pathlib import Path

import numpy as np
import pytest
import torch
from support.exact import seeded
from support.tiny_robot import KEYS, robot_file, spec

from oneleap.core.errors import InputError
from oneleap.core.objectives import MeanFlow, NoisePrediction
from oneleap.core.sampling.samplers import DDPMSampler
from oneleap.core.training.recipe import Recipe
from oneleap.domains.robot.data.datamodule import DemonstrationData
from oneleap.domains.robot.data.scaling import MinMax, NoScaling, Scaling, ZScore
from oneleap.domains.robot.models.dm1 import DM1, ReleasedDM1
from oneleap.domains.robot.models.nets import MLPHead
from oneleap.domains.robot.models.policy import RobotPolicy

SCALINGS = [MinMax(), ZScore(), NoScaling()]
ids = [type(s).__name__ for s in SCALINGS]
CONSTANTS = (0.1, 0.0, -7.3)


def actions(n: int) -> np.ndarray:
    """One column that varies, one of micrometers, and three constants."""
    g = np.random.default_rng(n)
    return np.stack(
        [g.uniform(-1, 1, n), 1e-6 * g.normal(size=n)] + [np.full(n, c) for c in CONSTANTS], 1
    )


@pytest.mark.parametrize("scaling", SCALINGS, ids=ids)
def test_constant_actions_are_reproduced_exactly(scaling: Scaling, tmp_path: Path) -> None:
    path = tmp_path / "demos.hdf5"
    robot_file(path, actions={"actions": actions})
    module = DemonstrationData(
        str(path), obs=KEYS, horizon=4, act_scaling=scaling, env="none", batch_size=8
    )
    policy = RobotPolicy(module.spec, MeanFlow(), head=MLPHead(8), recipe=Recipe())
    batch = module.batch(0)
    x = policy.data(batch)
    assert x.isfinite().all()
    assert x[:, 2:].eq(0).all()
    loss = policy.loss(batch, policy.objective.draw(x, seeded()))
    assert loss.per_sample.isfinite().all()
    with torch.no_grad():
        for weight in policy.average.parameters():
            weight.copy_(torch.randn(weight.shape, generator=seeded()))
    chunk = policy.act(np.zeros((2, 1, 5)), generator=seeded())
    wanted = np.array(CONSTANTS, np.float32).astype(np.float64)
    assert (chunk[..., 2:] == wanted).all()
    assert np.isfinite(chunk).all()


@pytest.mark.parametrize("scaling", [MinMax(), ZScore()], ids=ids[:2])
def test_actions_of_a_small_range_fill_the_networks_range(scaling: Scaling) -> None:
    act = torch.from_numpy(actions(500)).float()
    shift, scale = scaling.fit_actions(act)
    x = (act - shift) / torch.where(scale == 0, 1, scale)
    assert x[:, 1].abs().max() > 0.99  # a scale of 1 would drown them in the network's error


@pytest.mark.parametrize("scaling", SCALINGS, ids=ids)
@pytest.mark.parametrize("value", [0.0, 1e-30, 0.1, 1e30, 3e38])
def test_equal_and_extreme_bounds_are_finite(scaling: Scaling, value: float) -> None:
    for x in (torch.full((5, 1), value), torch.tensor([[-value], [value], [0.0]])):
        for fit in (scaling.fit, scaling.fit_actions):
            shift, scale = fit(x)
            assert shift.isfinite().all()
            assert scale.isfinite().all()
            z = (x - shift) / torch.where(scale == 0, 1, scale)
            assert z.isfinite().all()
            torch.testing.assert_close(z * scale + shift, x, rtol=1e-5, atol=1e-38)


@pytest.mark.parametrize("scaling", SCALINGS, ids=ids)
def test_constant_observations_are_finite(scaling: Scaling) -> None:
    shift, scale = scaling.fit(torch.full((4, 2), 3.0))
    assert (scale == 1).all()
    assert ((torch.full((4, 2), 3.0) - shift) / scale).isfinite().all()
    flat = spec(obs_scale=(0.0,) * 5)
    policy = RobotPolicy(flat, MeanFlow(), head=MLPHead(8))
    assert np.isfinite(policy.act(np.zeros((1, 1, 5)), generator=seeded())).all()


@pytest.mark.parametrize("objective", [DM1(), ReleasedDM1(), NoisePrediction()])
def test_sampled_chunks_are_clamped(objective: object) -> None:
    sampler = {"sampler": DDPMSampler(steps=2)} if isinstance(objective, NoisePrediction) else {}
    chunks = []
    for clip in (1.0, None):
        policy = RobotPolicy(spec(), objective, head=MLPHead(8), clip=clip, **sampler)  # type: ignore[arg-type]
        with torch.no_grad():
            for weight in policy.average.parameters():
                weight.copy_(torch.randn(weight.shape, generator=seeded()))
        act = policy.act(np.zeros((64, 1, 5)), generator=seeded())
        chunks.append((act - np.array(spec().act_shift)) / np.array(spec().act_scale))
    assert np.abs(chunks[0]).max() == pytest.approx(1)
    np.testing.assert_allclose(chunks[0], chunks[1].clip(-1, 1), atol=1e-6)
    with pytest.raises(InputError, match=r"clip: 0\.0 is not positive"):
        RobotPolicy(spec(), MeanFlow(), clip=0.0)


def test_the_configurations_of_dm1_clamp() -> None:
    import yaml

    from oneleap.core.cli.configs import find_config

    for name in ("dm1_lift", "dm1_can", "dm1_square", "dm1-image_lift", "released-dm1_lift"):
        args = yaml.safe_load(find_config(f"robot/{name}").read_text())["model"]["init_args"]
        assert args["clip"] == 1


def test_a_teacher_of_an_earlier_version_had_the_scale_1_for_constants(tmp_path: Path) -> None:
    old = spec(act_scale=(1.0, *[0.5] * 6))
    RobotPolicy(old, NoisePrediction(), head=MLPHead(8)).save_pretrained(tmp_path)
    new = spec(act_scale=(0.0, *[0.5] * 6))
    student = RobotPolicy(new, MeanFlow(), head=MLPHead(8), recipe=Recipe(teacher=str(tmp_path)))
    student.load_teacher()
