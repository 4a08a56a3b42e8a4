import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from oneleap.core.errors import InputError
from oneleap.domains.robot.data.chunks import Chunks, Demos, chunks
from oneleap.domains.robot.data.frames import Frames, pack

LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=5)


def table(lengths: list[int], obs_steps: int, length: int, images: bool = False) -> Chunks:
    """Demonstrations whose observations and actions are their rows' numbers."""
    n = sum(lengths)
    rows = torch.arange(n, dtype=torch.float32).unsqueeze(1)
    bounds = torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()])
    frames = {}
    if images:
        pictures = rows.byte().reshape(n, 1, 1, 1).expand(n, 4, 5, 3).contiguous()
        frames = {"eye": Frames(tuple(pack(pictures.numpy())), (4, 5))}
    names = tuple(f"demo_{k}" for k in range(len(lengths)))
    return chunks(Demos(rows, rows, bounds, names, frames), obs_steps, length)


@given(LENGTHS, st.integers(1, 3), st.integers(1, 5))
def test_no_chunk_crosses_the_end_of_a_demonstration(
    lengths: list[int], obs_steps: int, length: int
) -> None:
    if max(lengths) < length:
        with pytest.raises(
            InputError, match=f"chunk {length}: the longest .* {max(lengths)} steps"
        ):
            table(lengths, obs_steps, length)
        return
    found = table(lengths, obs_steps, length)
    assert len(found) == sum(max(0, n - length + 1) for n in lengths)  # and none is left out
    batch = found.batch(torch.arange(len(found)))
    demo = torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))
    for obs, act in zip(batch.obs[..., 0].long(), batch.act[:, 0].long(), strict=True):
        assert act.diff().eq(1).all()
        assert obs[-1] == act[0]
        assert len({*demo[act].tolist(), *demo[obs].tolist()}) == 1
        assert obs.diff().ge(0).all()


def test_the_first_observation_stands_for_those_before_it() -> None:
    batch = table([4, 3], obs_steps=3, length=2).batch(torch.tensor([0, 1, 2, 3]))
    assert batch.obs[..., 0].tolist() == [[0, 0, 0], [0, 0, 1], [0, 1, 2], [4, 4, 4]]
    assert batch.act.shape == (4, 1, 2)


def test_images_are_those_of_the_observations() -> None:
    batch = table([4, 3], obs_steps=2, length=2, images=True).batch(torch.tensor([0, 2, 3]))
    assert batch.images is not None
    assert batch.images.shape == (3, 1, 2, 3, 4, 5)
    assert torch.equal(batch.images[:, 0, :, 0, 0, 0].float(), batch.obs[..., 0])


def test_draws_depend_on_their_generator_alone() -> None:
    found = table([9, 9], 1, 4)
    draws = [found.draw(500, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    assert set(draws[0].tolist()) == set(range(12))


def test_numbers_that_make_no_sense_are_told() -> None:
    with pytest.raises(InputError, match="must be positive"):
        table([4], 0, 2)
