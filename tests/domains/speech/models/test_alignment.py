"""Alignment: the best monotonic path, and the batch that is made of it."""

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support.tiny_speech import utterances

from oneleap.domains.audio.sequence import expand_by_duration, frame_to_token
from oneleap.domains.speech.models.alignment import (
    align_batch,
    monotonic_alignment_search,
    search_durations,
)
from oneleap.domains.speech.spec import UtteranceBatch


def best_by_enumeration(score: np.ndarray) -> float:
    """Greatest sum over all ways to give every token at least one frame."""
    tokens, frames = score.shape
    best = -np.inf
    for cuts in itertools.combinations(range(1, frames), tokens - 1):
        edges = (0, *cuts, frames)
        best = max(
            best, sum(score[i, a:b].sum() for i, (a, b) in enumerate(itertools.pairwise(edges)))
        )
    return float(best)


def total(score: np.ndarray, durations: np.ndarray) -> float:
    owner = np.repeat(np.arange(len(durations)), durations)
    return float(score[owner, np.arange(len(owner))].sum())


@given(tokens=st.integers(1, 5), extra=st.integers(0, 5), seed=st.integers(0, 999))
def test_no_path_is_better(tokens: int, extra: int, seed: int) -> None:
    frames = tokens + extra
    score = np.random.default_rng(seed).normal(size=(tokens, frames)).astype(np.float32)
    padded = np.full((2, tokens + 2, frames + 3), 99.0, np.float32)
    padded[:, :tokens, :frames] = score
    sizes = np.array([tokens, tokens]), np.array([frames, frames])
    for durations in monotonic_alignment_search(padded, *sizes):
        assert durations.sum() == frames
        assert (durations[:tokens] >= 1).all()
        assert not durations[tokens:].any()
        assert abs(total(score, durations[:tokens]) - best_by_enumeration(score)) < 1e-4


def test_compiled_search_equals_plain_python_and_finds_hidden_durations() -> None:
    pytest.importorskip("numba")
    g = torch.Generator().manual_seed(0)
    means = 3 * torch.randn(3, 6, 5, generator=g)
    durations = torch.tensor([[2, 3, 1, 4, 2], [5, 1, 6, 0, 0], [1, 1, 1, 1, 1]])
    frames, lengths = durations.sum(1), torch.tensor([5, 3, 5])
    mel = expand_by_duration(means, frame_to_token(durations, 12), dim=2)
    mel = mel + 0.1 * torch.randn(3, 6, 12, generator=g)
    assert torch.equal(search_durations(means, mel, lengths, frames), durations)
    score = (means.mT @ mel - 0.5 * means.square().sum(1).unsqueeze(2)).numpy()
    plain = monotonic_alignment_search(score, lengths.numpy(), frames.numpy())
    assert (plain == durations.numpy()).all()


def uneven() -> tuple[UtteranceBatch, torch.Tensor]:
    """Utterances with different durations of tokens."""
    durations = torch.zeros(3, 7, dtype=torch.long)
    durations[0, :4], durations[2, :2] = 3, torch.tensor([4, 5])
    durations[1] = torch.tensor([3, 3, 3, 3, 3, 3, 2])
    return utterances(), durations


def test_crops_stay_with_their_tokens() -> None:
    rows, durations = uneven()
    whole = align_batch(rows, durations)
    torch.testing.assert_close(whole.x, rows.features)
    assert whole.mask.sum((1, 2)).tolist() == [12, 20, 9]
    torch.testing.assert_close(whole.means[0, :, 1], rows.features[0, :, 3:6].mean(1))
    assert not whole.means[0, :, 4:].any()
    g = torch.Generator().manual_seed(1)
    cut = align_batch(rows, durations, crop=10, drop=0.5, generator=g)
    assert cut.x.shape[2] == 10
    assert cut.mask.sum((1, 2)).tolist() == [10, 10, 9]
    for b in range(3):
        matches = [
            k for k in range(11) if torch.equal(rows.features[b, :, k : k + 5], cut.x[b, :, :5])
        ]
        (first,) = matches
        n = int(cut.mask[b].sum())
        assert torch.equal(cut.frame_to_token[b, :n], whole.frame_to_token[b, first : first + n])
    g = torch.Generator().manual_seed(1)
    again = align_batch(rows, durations, crop=10, drop=0.5, generator=g)
    assert torch.equal(cut.x, again.x)
    assert torch.equal(cut.dropped, again.dropped)


def test_padding_has_no_effect() -> None:
    rows, durations = uneven()
    padding = torch.arange(20)[None] >= rows.frames[:, None]
    junk = rows._replace(features=rows.features.masked_fill(padding.unsqueeze(1), 1e6))
    found = align_batch(junk, durations).means
    torch.testing.assert_close(found, align_batch(rows, durations).means)
