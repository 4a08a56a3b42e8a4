from pathlib import Path

import numpy as np
import pytest
import torch
from support.exact import seeded
from support.tiny_robot import EYE, spec
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.objectives import FlowMatching, MeanFlow, NoisePrediction
from oneleap.core.sampling.samplers import DDPMSampler
from oneleap.core.training.recipe import Recipe
from oneleap.domains.robot.data.chunks import ChunkBatch
from oneleap.domains.robot.envs.rotation import pose_from_network, pose_to_network
from oneleap.domains.robot.models.dm1 import DM1
from oneleap.domains.robot.models.nets import MLPHead, UNetHead
from oneleap.domains.robot.models.policy import RobotPolicy
from oneleap.domains.robot.models.vision import random_shift

OBS = np.random.default_rng(0).normal(size=(3, 1, 5)).astype(np.float32)
SMALL = MLPHead(16)
SEEING = spec(cameras=(EYE,), image_size=(24, 24), n_obs_steps=2)


def policy(**given: object) -> RobotPolicy:
    fields: dict[str, object] = {"head": SMALL, **given}
    return RobotPolicy(spec(), MeanFlow(), **fields)  # type: ignore[arg-type]


def moved(model: RobotPolicy) -> RobotPolicy:
    """Give the average, and nothing else, weights other than the initial ones."""
    with torch.no_grad():
        for k, weight in enumerate(model.average.parameters()):
            weight.copy_(0.3 * torch.randn(weight.shape, generator=seeded(k)))
    return model


def test_an_action_is_one_step_of_the_average_in_the_datas_units() -> None:
    model = moved(policy())
    chunk = model.act(OBS, generator=seeded(5))
    s = model.spec
    e = torch.randn(3, 7, 4, generator=seeded(5))
    cond = (torch.tensor(OBS[:, 0]) - torch.tensor(s.obs_shift)) / torch.tensor(s.obs_scale)
    x = e - model.average(e, torch.zeros(3), torch.ones(3), cond)
    wanted = x.transpose(1, 2) * torch.tensor(s.act_scale) + torch.tensor(s.act_shift)
    assert chunk.shape == (3, 4, 7)
    assert chunk.dtype == np.float64
    np.testing.assert_allclose(chunk, wanted.detach().numpy(), rtol=1e-4, atol=1e-5)


def test_the_temperature_scales_the_noise() -> None:
    cool, plain = moved(policy(temperature=0.25)), moved(policy())
    seen = torch.tensor(OBS)
    e = cool.noise(3, seeded())
    assert float(e.std()) == pytest.approx(1.0, abs=0.2)  # callers pass unscaled noise
    torch.testing.assert_close(
        cool.generate(seen, None, e), plain.generate(seen, None, 0.25 * e), rtol=0, atol=0
    )
    frozen = moved(policy(temperature=0.0))
    np.testing.assert_array_equal(
        frozen.act(OBS, generator=seeded(1)), frozen.act(OBS, generator=seeded(2))
    )
    with pytest.raises(InputError, match=r"temperature: -1\.0 is negative"):
        policy(temperature=-1.0)


def test_normalization_is_inverted_exactly() -> None:
    model = policy()
    act = torch.randn(3, 7, 4, generator=seeded())
    x = model.data(ChunkBatch(torch.tensor(OBS), act))
    back = x.transpose(1, 2) * model.act_scale + model.act_shift
    torch.testing.assert_close(back.transpose(1, 2), act)
    assert float(x[0, 1, 0]) == pytest.approx((float(act[0, 1, 0]) - 0.5) / 0.5)


def test_the_first_actions_of_a_chunk_are_executed() -> None:
    whole = moved(policy()).act(OBS, generator=seeded())
    two = moved(policy(n_action_steps=2)).act(OBS, generator=seeded())
    np.testing.assert_array_equal(two, whole[:, :2])
    one = moved(policy(n_action_steps=2)).act(OBS, n_action_steps=1, generator=seeded())
    np.testing.assert_array_equal(one, whole[:, :1])
    with pytest.raises(InputError, match="n_action_steps: 5 is not from 1 to 4"):
        policy(n_action_steps=5)


def test_the_gripper_is_a_number_or_its_sign() -> None:
    whole = moved(policy()).act(OBS, generator=seeded())
    signs = moved(policy(gripper="threshold")).act(OBS, generator=seeded())
    np.testing.assert_array_equal(signs[..., :-1], whole[..., :-1])
    np.testing.assert_array_equal(signs[..., -1], np.sign(whole[..., -1]))


def test_absolute_actions_are_returned_as_rotation_vectors() -> None:
    zeros = (0.0,) * 10
    absolute = spec(absolute=True, act_dim=10, act_shift=zeros, act_scale=(1.0,) * 10)
    model = RobotPolicy(absolute, MeanFlow(), head=SMALL)
    chunk = model.act(OBS, generator=seeded())
    assert chunk.shape == (3, 4, 7)
    assert (np.linalg.norm(chunk[..., 3:6], axis=-1) <= np.pi + 1e-6).all()
    again = pose_from_network(pose_to_network(chunk))
    np.testing.assert_allclose(again, chunk, atol=1e-6)


@pytest.mark.parametrize("head", [SMALL, UNetHead((8, 16), context_dim=8)], ids=["mlp", "unet"])
@pytest.mark.parametrize("images", [False, True], ids=["state", "image"])
def test_a_saved_policy_acts_as_before(head: object, images: bool, tmp_path: Path) -> None:
    seen = SEEING if images else spec()
    objective = DM1(layers=("cond", "late"))
    model = moved(RobotPolicy(seen, objective, head=head, sampler=DDPMSampler(steps=3)))  # type: ignore[arg-type]
    model.save_pretrained(tmp_path)
    again = load_pretrained(tmp_path)
    assert isinstance(again, RobotPolicy)
    assert again.spec == seen
    assert again.objective == objective
    assert again.sampler == model.sampler
    obs = np.repeat(OBS, seen.n_obs_steps, axis=1)
    shape = (3, 1, 2, 3, 24, 24)
    pixels = np.random.default_rng(1).integers(0, 256, shape, np.uint8) if images else None
    chunks = [m.eval().act(obs, pixels, generator=seeded()) for m in (model, again)]
    np.testing.assert_array_equal(*chunks)
    if pixels is not None:
        dark = again.act(obs, 0 * pixels, generator=seeded())
        assert not np.array_equal(dark, chunks[0])


def test_the_seed_determines_the_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    models = [policy(recipe=Recipe(seed=seed)) for seed in (7, 7, 8)]
    assert torch.equal(torch.rand(3), expected)
    first = [next(model.net.parameters()) for model in models]
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])


def images(n: int = 6, side: int = 12) -> Tensor:
    """Images in which the value of each pixel is its position."""
    place = torch.arange(side * side, dtype=torch.uint8).reshape(side, side)
    return place.expand(n, 2, 1, 3, side, side).contiguous()


def test_shifted_images_repeat_their_edges() -> None:
    before, pad = images(64), 2
    after = random_shift(before, pad, seeded())
    assert after.shape == before.shape
    padded = torch.nn.functional.pad(before[0, 0, :, 0].float(), (pad,) * 4, mode="replicate")
    windows = {
        tuple(padded[0, y : y + 12, x : x + 12].flatten().tolist())
        for y in range(2 * pad + 1)
        for x in range(2 * pad + 1)
    }
    found = {tuple(image[0, 0, 0].flatten().tolist()) for image in after}
    assert found <= windows
    assert len(found) > 10
    assert torch.equal(after[:, 0], after[:, 1])  # the cameras of a sample are shifted together


def test_images_are_shifted_when_acting_only_if_configured() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (3, 1, 2, 3, 24, 24), np.uint8)
    obs = np.repeat(OBS, 2, axis=1)
    for when, same in (("training", True), ("always", False)):
        model = moved(RobotPolicy(SEEING, MeanFlow(), head=SMALL, augment_when=when))  # type: ignore[arg-type]
        still = model.generate(torch.tensor(obs), torch.tensor(pixels), model.noise(3, seeded()))
        chunk = model.act(obs, pixels, generator=seeded())
        assert np.allclose(chunk, still.detach().numpy(), atol=1e-5) is same


def test_a_teacher_of_other_data_is_refused(tmp_path: Path) -> None:
    RobotPolicy(spec(horizon=2), FlowMatching(), head=SMALL).save_pretrained(tmp_path)
    student = policy(recipe=Recipe(teacher=str(tmp_path)))
    with pytest.raises(InputError, match="has horizon 2, the data 4"):
        student.load_teacher()
    other = spec(act_shift=tuple(x + 1 for x in spec().act_shift))
    RobotPolicy(other, FlowMatching(), head=SMALL).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="has act_shift"):
        student.load_teacher()


def test_a_teacher_gives_its_average_under_the_same_observations(tmp_path: Path) -> None:
    teacher = moved(RobotPolicy(spec(), NoisePrediction(), head=SMALL))
    teacher.save_pretrained(tmp_path)
    student = policy(recipe=Recipe(teacher=str(tmp_path)))
    student.load_teacher()
    batch = ChunkBatch(torch.tensor(OBS), torch.randn(3, 7, 4, generator=seeded()))
    field = student.bind(batch).teacher
    assert field is not None
    z, t = torch.randn(3, 7, 4, generator=seeded(1)), torch.full((3,), 0.4)
    wanted = teacher.average(z, t, t, teacher.normalize_obs(batch.obs))
    torch.testing.assert_close(field(z, t, t), wanted)
