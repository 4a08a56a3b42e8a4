"""Alignment: the best of all monotonic paths, and what is made of it."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.tiny_speech import utterances

from oneleap.domains.speech.models.alignment import aligned, durations, owners, real, search, spread


def best_by_trying(score: np.ndarray) -> float:
    """Greatest sum over all ways of giving every token at least one frame."""
    tokens, frames = score.shape
    best = -np.inf
    for cuts in itertools.combinations(range(1, frames), tokens - 1):
        edges = (0, *cuts, frames)
        best = max(
            best, sum(score[i, a:b].sum() for i, (a, b) in enumerate(itertools.pairwise(edges)))
        )
    return float(best)


def total(score: np.ndarray, each: np.ndarray) -> float:
    owner = np.repeat(np.arange(len(each)), each)
    return float(score[owner, np.arange(len(owner))].sum())


@given(tokens=st.integers(1, 5), extra=st.integers(0, 5), seed=st.integers(0, 999))
def test_no_path_is_better(tokens: int, extra: int, seed: int) -> None:
    frames = tokens + extra
    score = np.random.default_rng(seed).normal(size=(tokens, frames)).astype(np.float32)
    padded = np.full((2, tokens + 2, frames + 3), 99.0, np.float32)
    padded[:, :tokens, :frames] = score
    found = search(padded, np.array([tokens, tokens]), np.array([frames, frames]))
    for each in found:
        assert each.sum() == frames
        assert (each[:tokens] >= 1).all()
        assert not each[tokens:].any()
        assert abs(total(score, each[:tokens]) - best_by_trying(score)) < 1e-4


def test_compiled_is_the_same_and_finds_what_was_hidden() -> None:
    pytest.importorskip("numba")
    g = torch.Generator().manual_seed(0)
    means = 3 * torch.randn(3, 6, 5, generator=g)
    each = torch.tensor([[2, 3, 1, 4, 2], [5, 1, 6, 0, 0], [1, 1, 1, 1, 1]])
    frames, lengths = each.sum(1), torch.tensor([5, 3, 5])
    mel = spread(means, owners(each, 12)) + 0.1 * torch.randn(3, 6, 12, generator=g)
    assert torch.equal(durations(means, mel, lengths, frames), each)
    score = (means.mT @ mel - 0.5 * means.square().sum(1).unsqueeze(2)).numpy()
    assert (search(score, lengths.numpy(), frames.numpy()) == each.numpy()).all()


def test_owners_are_in_order_and_spread_gives_what_is_theirs() -> None:
    each = torch.tensor([[2, 1, 3], [1, 2, 0]])
    assert owners(each, 6).tolist() == [[0, 0, 1, 2, 2, 2], [0, 1, 1, 2, 2, 2]]
    values = torch.arange(6.0).reshape(2, 1, 3)
    assert spread(values, owners(each, 6))[0, 0].tolist() == [0, 0, 1, 2, 2, 2]
    assert real(torch.tensor([0, 2]), 3).tolist() == [[False] * 3, [True, True, False]]


def test_crops_stay_with_their_tokens() -> None:
    rows = utterances()
    each = torch.zeros(3, 7, dtype=torch.long)
    each[0, :4], each[1], each[2, :2] = 3, torch.tensor([3, 3, 3, 3, 3, 3, 2]), torch.tensor([4, 5])
    whole = aligned(rows, each)
    torch.testing.assert_close(whole.x, rows.mel)
    assert whole.mask.sum((1, 2)).tolist() == [12, 20, 9]
    torch.testing.assert_close(whole.means[0, :, 1], rows.mel[0, :, 3:6].mean(1))
    assert not whole.means[0, :, 4:].any()
    g = torch.Generator().manual_seed(1)
    cut = aligned(rows, each, crop=10, drop=0.5, generator=g)
    assert cut.x.shape[2] == 10
    assert cut.mask.sum((1, 2)).tolist() == [10, 10, 9]
    for b in range(3):
        matches = [k for k in range(11) if torch.equal(rows.mel[b, :, k : k + 5], cut.x[b, :, :5])]
        (first,) = matches
        n = int(cut.mask[b].sum())
        assert torch.equal(cut.owner[b, :n], whole.owner[b, first : first + n])
    again = aligned(rows, each, crop=10, drop=0.5, generator=torch.Generator().manual_seed(1))
    assert torch.equal(cut.x, again.x)
    assert torch.equal(cut.dropped, again.dropped)


def test_padding_has_no_influence() -> None:
    rows = utterances()
    each = torch.zeros(3, 7, dtype=torch.long)
    each[0, :4], each[1], each[2, :2] = 3, torch.tensor([3, 3, 3, 3, 3, 3, 2]), torch.tensor([4, 5])
    padding = torch.arange(20)[None] >= rows.frames[:, None]
    junk = rows._replace(mel=rows.mel.masked_fill(padding.unsqueeze(1), 1e6))
    torch.testing.assert_close(aligned(junk, each).means, aligned(rows, each).means)
