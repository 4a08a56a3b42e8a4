import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oneleap.core.errors import InputError
from oneleap.domains.robot.data.chunks import ChunkDataset, Demos, cut_chunks
from oneleap.domains.robot.data.frames import CompressedImages, compress_images

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def cut(lengths: list[int], n_obs_steps: int, horizon: int, images: bool = False) -> ChunkDataset:
    """Chunks of demonstrations whose observations and actions are the numbers of their rows."""
    n = sum(lengths)
    rows = torch.arange(n, dtype=torch.float32).unsqueeze(1)
    bounds = torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()])
    frames = {}
    if images:
        pixels = rows.byte().reshape(n, 1, 1, 1).expand(n, 4, 5, 3).contiguous()
        frames = {"eye": CompressedImages(tuple(compress_images(pixels.numpy())), (4, 5))}
    names = tuple(f"demo_{k}" for k in range(len(lengths)))
    return cut_chunks(Demos(rows, rows, bounds, names, frames), n_obs_steps, horizon)


@given(LENGTHS, st.integers(1, 3), st.integers(1, 5))
def test_no_chunk_crosses_the_end_of_a_demonstration(
    lengths: list[int], n_obs_steps: int, horizon: int
) -> None:
    found = cut(lengths, n_obs_steps, horizon)
    wanted = [n if n < horizon else n - horizon + 1 for n in lengths]
    assert len(found) == sum(wanted)  # none is left out
    batch = found.batch(torch.arange(len(found)))
    demo = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    for obs, act in zip(batch.obs[..., 0].long(), batch.act[:, 0].long(), strict=True):
        whole = lengths[int(demo[act[0]])] >= horizon
        assert act.diff().eq(1).all() if whole else act.diff().ge(0).all()
        assert obs[-1] == act[0]
        assert len({*demo[act].tolist(), *demo[obs].tolist()}) == 1
        assert obs.diff().ge(0).all()


def test_short_demonstrations_repeat_their_last_action() -> None:
    batch = cut([2, 4], n_obs_steps=1, horizon=4).batch(torch.arange(3))
    assert batch.act[:, 0].tolist() == [[0, 1, 1, 1], [1, 1, 1, 1], [2, 3, 4, 5]]


def test_the_first_observation_is_repeated_before_the_beginning() -> None:
    batch = cut([4, 3], n_obs_steps=3, horizon=2).batch(torch.tensor([0, 1, 2, 3]))
    assert batch.obs[..., 0].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [4, 4, 4]]
    assert batch.act.shape == (4, 1, 2)


def test_images_are_those_of_the_observations() -> None:
    batch = cut([4, 3], n_obs_steps=2, horizon=2, images=True).batch(torch.tensor([0, 2, 3]))
    assert batch.images is not None
    assert batch.images.shape == (3, 1, 2, 3, 4, 5)
    assert torch.equal(batch.images[:, 0, :, 0, 0, 0].float(), batch.obs[..., 0])


def test_samples_depend_on_the_generator_alone() -> None:
    found = cut([9, 9], 1, 4)
    draws = [found.sample_indices(500, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert set(draws[0].tolist()) == set(range(12))


def test_numbers_must_be_positive() -> None:
    with pytest.raises(InputError, match="must be positive"):
        cut([4], 0, 2)
