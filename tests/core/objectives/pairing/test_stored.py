"""Stored pairs: what is trained from a file is what would be trained from the teacher."""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from safetensors.torch import save_file
from support.exact import Gaussian, seeded
from support.tiny_generative import COND, DIM, Endless, Toy, batch, trainer
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import teacher_pairs
from oneleap.core.objectives import (
    ConsistencyTraining,
    FlowMatching,
    MeanFlow,
    Reflow,
    SplitMeanFlow,
    StoredPairs,
)
from oneleap.core.objectives.pairing import stored
from oneleap.core.objectives.pairing.stored import PairedBatch, read_pairs, write_pairs
from oneleap.core.paths.times import TimePairs, Uniform
from oneleap.core.types import Objective, TrainingBatch

PAIRS = TimePairs(Uniform(), p_equal=0.5)
TRUTH = Gaussian(0.7, 0.5)


class Other(NamedTuple):
    a: Tensor
    b: Tensor | None = None


def pairs(n: int = 3) -> list[PairedBatch]:
    g = seeded()
    return [
        PairedBatch(
            (torch.randn(8, DIM + COND, generator=g),),
            torch.randn(8, DIM, generator=g),
            torch.randn(8, DIM, generator=g),
        )
        for _ in range(n)
    ]


def written(folder: Path, kind: str = "Toy", n: int = 3) -> str:
    write_pairs(folder / "pairs.safetensors", pairs(n), {"model": kind})
    return str(folder / "pairs.safetensors")


def test_pairs_are_read_as_they_were_written(tmp_path: Path) -> None:
    found = read_pairs(Path(written(tmp_path)), "Toy")
    for mine, theirs in zip(found, pairs(), strict=True):
        assert torch.equal(mine.e, theirs.e)
        assert torch.equal(mine.x, theirs.x)
        assert mine.leaves[0] is not None
        assert theirs.leaves[0] is not None
        assert torch.equal(mine.leaves[0], theirs.leaves[0])


def test_each_pair_is_read_once_before_any_is_read_again(tmp_path: Path) -> None:
    objective = StoredPairs(path=written(tmp_path))
    taken = [objective.take(batch(), k, 0, "Toy")[1].e[0, 0].item() for k in range(9)]
    rounds = [taken[i : i + 3] for i in (0, 3, 6)]
    assert all(set(r) == set(rounds[0]) and len(set(r)) == 3 for r in rounds)
    assert len({tuple(r) for r in rounds}) > 1
    again = StoredPairs(path=objective.path)
    assert again.take(batch(), 7, 0, "Toy")[1].e[0, 0].item() == taken[7]


@pytest.mark.parametrize(
    "inner", [FlowMatching(), MeanFlow(PAIRS), SplitMeanFlow(PAIRS)], ids=["fm", "mf", "split"]
)
def test_exact_pairs_of_a_gaussian_leave_the_exact_field_no_loss(inner: Objective) -> None:
    """For pairs ``x = m + s e`` the straight line's field is exact row by row; chance pairs not."""
    e = torch.randn(64, 1, generator=seeded(), dtype=torch.float64)
    zero, one = e.new_zeros(64), e.new_ones(64)
    x = TRUTH.flow(e, zero, one)

    def line(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        at = t.reshape(-1, 1)
        noise = (z - (1 - at) * TRUTH.mean) / ((1 - at) * TRUTH.std + at)
        return noise - (TRUTH.mean + TRUTH.std * noise)

    objective = StoredPairs(inner)
    draw = replace(objective.draw(x, seeded()), e=e, x=x)
    other = TRUTH.sample((64, 1), seeded(3)).double()
    loss = objective.loss(TrainingBatch(field=line, x=other), draw).per_sample
    assert loss.max() < 1e-20
    chance = replace(draw, x=x[torch.randperm(64, generator=seeded(1))])
    assert objective.loss(TrainingBatch(field=line, x=other), chance).per_sample.mean() > 1e-2
    ignored = inner.loss(TrainingBatch(field=line, x=other), replace(draw, x=None)).per_sample
    assert ignored.mean() > 1e-2  # the mutant that trains on the batch's own data


def test_flow_matching_on_pairs_is_reflow() -> None:
    x = torch.randn(16, 2, generator=seeded(), dtype=torch.float64)
    reflow = Reflow(steps=4)
    draw = reflow.draw(x, seeded(1))
    draw = replace(draw, r=draw.t)
    wanted = reflow.loss(TrainingBatch(field=TRUTH, x=x, teacher=TRUTH), draw).per_sample
    _, made = teacher_pairs(TRUTH, draw.e, steps=4)
    found = StoredPairs(FlowMatching()).loss(TrainingBatch(field=TRUTH, x=x), replace(draw, x=made))
    torch.testing.assert_close(found.per_sample, wanted, atol=1e-12, rtol=0)


def test_training_reads_the_pairs_and_their_conditions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[Tensor, Tensor, Tensor]] = []
    loss = StoredPairs.loss

    def spy(self: StoredPairs, bound: TrainingBatch, draw: object) -> object:
        seen.append((bound.field.cond[0], draw.e, draw.x))  # type: ignore[attr-defined]
        return loss(self, bound, draw)  # type: ignore[arg-type]

    monkeypatch.setattr(StoredPairs, "loss", spy)
    model = Toy(StoredPairs(ConsistencyTraining(), path=written(tmp_path)))
    trainer(3).fit(model.lightning_module(), Endless(batch()))
    known = {pair.e[0, 0].item(): pair for pair in pairs()}
    assert len(seen) == 3
    for cond, e, x in seen:
        pair = known[e[0, 0].item()]
        assert torch.equal(x, pair.x)
        assert pair.leaves[0] is not None
        assert torch.equal(cond, pair.leaves[0][:, DIM:])


def test_what_cannot_be_is_told_in_a_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file: make pairs with oneleap pairs RUN"):
        StoredPairs(path=str(tmp_path / "none")).take(batch(), 0, 0, "Toy")
    with pytest.raises(InputError, match="holds pairs of a Policy, not of a Toy"):
        StoredPairs(path=written(tmp_path, "Policy")).take(batch(), 0, 0, "Toy")
    save_file({"a": torch.ones(1)}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match="holds no pairs"):
        read_pairs(tmp_path / "a.safetensors", "Toy")
    (tmp_path / "b.safetensors").write_bytes(b"{" * 64)
    with pytest.raises(InputError, match="damaged, or not a file of pairs"):
        read_pairs(tmp_path / "b.safetensors", "Toy")
    with pytest.raises(InputError, match="batches with other fields"):
        StoredPairs(path=written(tmp_path)).take(Other(batch(), batch()), 0, 0, "Toy")
    with pytest.raises(InputError, match="fields that are no tensors"):
        stored.fields_of((1, 2))
    objective, x = StoredPairs(), torch.randn(8, 2)
    with pytest.raises(InputError, match="needs stored pairs in its draw"):
        objective(TrainingBatch(field=TRUTH, x=x))
