"""Training of the model of unknown words: letters and phonemes, aligned and counted.

A joint n-gram model (Bisani and Ney, Speech Communication 50, 2008). Each letter makes none, one
or two phonemes; expectation maximization finds which. The pairs of a letter and its phonemes are
the units of an n-gram model with Kneser-Ney smoothing, from which n-grams of little gain are
dropped.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numba
import numpy as np
from numpy.typing import NDArray

from oneleap.domains.speech.text.english.letters import END, START, LetterModel, Level
from oneleap.domains.speech.text.english.symbols import split_phonemes

ROUNDS = 12
"""Number of rounds of expectation maximization."""

Gram = tuple[int, ...]


def train_letters(words: Mapping[str, str], order: int, gain: float) -> LetterModel:
    """Train a model of unknown words.

    Args:
        words: Phonemes of each word in small letters.
        order: Length of the longest n-gram.
        gain: Least gain of an n-gram that is kept, in nats over all its occurrences.

    Returns:
        The model.
    """
    aligned = _align({w: split_phonemes(p) for w, p in words.items() if w.isascii()})
    often = {g for g, n in Counter(g for s in aligned for g in s).items() if n >= 3}
    units = ["", "", *sorted(often)]  # END and START come first
    index = {unit: i for i, unit in enumerate(units) if unit}
    ids = [(START, *(index[g] for g in s), END) for s in aligned if often.issuperset(s)]
    counts = [Counter[Gram]() for _ in range(order + 1)]
    for n in range(1, order + 1):
        for s in ids:
            counts[n].update(s[i : i + n] for i in range(len(s) - n + 1))
    return _prune(units, counts, gain)


@numba.njit  # type: ignore[untyped-decorator]
def _expect(  # type: ignore[no-untyped-def]
    letters, starts, phonemes, ends, prob, n
):  # pragma: no cover
    """One round: expected counts of the phonemes of each letter."""
    new = np.zeros_like(prob)
    for w in range(len(starts) - 1):
        a, b = letters[starts[w] : starts[w + 1]], phonemes[ends[w] : ends[w + 1]]
        forward = np.zeros((len(a) + 1, len(b) + 1))
        back = np.zeros((len(a) + 1, len(b) + 1))
        forward[0, 0] = back[len(a), len(b)] = 1.0
        for i in range(len(a)):
            for j in range(len(b) + 1):
                for k in range(min(3, len(b) - j + 1)):
                    c = 0 if k == 0 else 1 + b[j] if k == 1 else 1 + n + b[j] * n + b[j + 1]
                    forward[i + 1, j + k] += forward[i, j] * prob[a[i], c]
        total = forward[len(a), len(b)]
        if total <= 0:
            continue
        for i in range(len(a) - 1, -1, -1):
            for j in range(len(b) + 1):
                for k in range(min(3, len(b) - j + 1)):
                    c = 0 if k == 0 else 1 + b[j] if k == 1 else 1 + n + b[j] * n + b[j + 1]
                    share = prob[a[i], c] * back[i + 1, j + k]
                    back[i, j] += share
                    new[a[i], c] += forward[i, j] * share / total
    return new


@numba.njit  # type: ignore[untyped-decorator]
def _best(a, b, log_prob, n):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Best number of phonemes of each letter; -1 first if there is no alignment."""
    score = np.full((len(a) + 1, len(b) + 1), -1e30)
    chosen = np.zeros((len(a) + 1, len(b) + 1), np.int64)
    score[0, 0] = 0.0
    for i in range(len(a)):
        for j in range(len(b) + 1):
            for k in range(min(3, len(b) - j + 1)):
                c = 0 if k == 0 else 1 + b[j] if k == 1 else 1 + n + b[j] * n + b[j + 1]
                value = score[i, j] + log_prob[a[i], c]
                if value > score[i + 1, j + k]:
                    score[i + 1, j + k] = value
                    chosen[i + 1, j + k] = k
    out = -np.ones(len(a), np.int64)
    if score[len(a), len(b)] > -1e29:
        j = len(b)
        for i in range(len(a), 0, -1):
            out[i - 1] = chosen[i, j]
            j -= out[i - 1]
    return out


def _align(words: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Align letters and phonemes. A unit is a letter and its phonemes, with spaces between."""
    inventory = sorted({p for phonemes in words.values() for p in phonemes})
    index, n = {p: i for i, p in enumerate(inventory)}, len(inventory)
    letters = np.array([ord(c) - ord("a") for w in words for c in w])
    phonemes = np.array([index[p] for ps in words.values() for p in ps])
    starts = np.cumsum([0, *map(len, words)])
    ends = np.cumsum([0, *map(len, words.values())])
    prob = np.full((26, 1 + n + n * n), 0.2)
    prob[:, 1 : 1 + n], prob[:, 1 + n :] = 0.6 / n, 0.2 / n**2
    for _ in range(ROUNDS):
        new: NDArray[np.float64] = _expect(letters, starts, phonemes, ends, prob, n)
        prob = new / np.maximum(new.sum(1, keepdims=True), 1e-9)
        prob[prob < 1e-7] = 0
    log_prob = np.where(prob > 0, np.log(np.maximum(prob, 1e-12)), -1e30)
    found = []
    for i, (word, said) in enumerate(words.items()):
        a, b = letters[starts[i] : starts[i + 1]], phonemes[ends[i] : ends[i + 1]]
        sizes = _best(a, b, log_prob, n)
        if sizes[0] >= 0:
            cuts = np.cumsum([0, *sizes])
            parts = zip(word, cuts[:-1], cuts[1:], strict=True)
            found.append([" ".join((c, *said[i:j])) for c, i, j in parts])
    return found


@dataclass
class _Smoothed:
    """Interpolated probabilities of the n-grams of each order, and weights of their contexts."""

    prob: list[dict[Gram, float]]
    back_off: list[dict[Gram, float]]


def _smooth(counts: Sequence[Counter[Gram]], size: int) -> _Smoothed:
    """Interpolated Kneser-Ney probabilities; ``counts[n]`` counts n-grams."""
    order = len(counts) - 1
    kept = list(counts)
    for n in range(order - 1, 0, -1):  # lower orders count contexts, not occurrences
        kept[n] = Counter(g[1:] for g in counts[n + 1])
        kept[n].update({g: c for g, c in counts[n].items() if g[0] == START and n > 1})
    total = kept[1].total()
    prob: list[dict[Gram, float]] = [{}, {}]
    prob[1] = {g: (c + 0.5) / (total + 0.5 * size) for g, c in kept[1].items()}
    back_off: list[dict[Gram, float]] = [{}]
    for n in range(2, order + 1):
        once, twice = (sum(c == k for c in kept[n].values()) for k in (1, 2))
        discount = once / (once + 2 * twice) if once else 0.5
        sums, kinds = Counter[Gram](), Counter[Gram]()
        for g, c in kept[n].items():
            sums[g[:-1]] += c
            kinds[g[:-1]] += 1
        back_off.append({h: discount * kinds[h] / sums[h] for h in sums})
        lower, weights = prob[n - 1], back_off[n - 1]
        prob.append(
            {
                g: (c - discount) / sums[g[:-1]] + weights[g[:-1]] * lower[g[1:]]
                for g, c in kept[n].items()
            }
        )
    return _Smoothed(prob, back_off)


def _prune(units: Sequence[str], counts: Sequence[Counter[Gram]], gain: float) -> LetterModel:
    """Drop n-grams of little gain, and give their probability to shorter ones."""
    full = _smooth(counts, len(units) - 1)
    order = len(counts) - 1
    kept: list[dict[Gram, float]] = [{} for _ in range(order + 1)]
    needed = set[Gram]()
    for n in range(order, 1, -1):
        for g, p in full.prob[n].items():
            shorter = full.back_off[n - 1][g[:-1]] * full.prob[n - 1][g[1:]]
            if g in needed or counts[n][g] * np.log(p / shorter) > gain:
                kept[n][g] = p
        needed = {g[:-1] for g in kept[n]}
    kept[1] = {**full.prob[1], (START,): 1e-9}
    weights: list[dict[Gram, float]] = [{} for _ in range(order + 1)]

    def conditional(g: Gram) -> float:
        while g not in kept[len(g)]:
            if len(g) == 1:
                return 1e-9
            weight = weights[len(g) - 1].get(g[:-1], 1.0)
            return weight * conditional(g[1:])
        return kept[len(g)][g]

    for n in range(2, order + 1):
        mass, lower = Counter[Gram](), Counter[Gram]()
        for g, p in kept[n].items():
            mass[g[:-1]] += p  # type: ignore[assignment]
            lower[g[:-1]] += conditional(g[1:])  # type: ignore[assignment]
        weights[n - 1] = {h: max(1 - mass[h], 1e-6) / max(1 - lower[h], 1e-6) for h in mass}
    return _as_model(units, kept, weights)


def _as_model(
    units: Sequence[str],
    kept: Sequence[Mapping[Gram, float]],
    weights: Sequence[Mapping[Gram, float]],
) -> LetterModel:
    """Number the n-grams: the key of one is its context's number and its last unit."""
    levels = list[Level]()
    numbers: dict[Gram, int] = {(): 0}
    for n in range(1, len(kept)):
        grams = sorted(kept[n], key=lambda g: (numbers[g[:-1]], g[-1]))
        keys = np.array([numbers[g[:-1]] * len(units) + g[-1] for g in grams], np.int64)
        log_prob = np.log([kept[n][g] for g in grams]).astype(np.float32)
        back_off = np.log([weights[n].get(g, 1.0) for g in grams]).astype(np.float32)
        levels.append(Level(keys, log_prob, back_off))
        numbers = {g: i for i, g in enumerate(grams)}
    return LetterModel(tuple(units), tuple(levels))
