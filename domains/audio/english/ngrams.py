"""Training of the model of unknown words: letters and phonemes, aligned and counted.

A joint n-gram model (Bisani and Ney, Speech Communication 50, 2008). Each letter makes none, one
or two phonemes; expectation maximization finds which. The pairs of a letter and its phonemes are
the units of an n-gram model with Kneser-Ney smoothing, from which n-grams of little gain are
dropped.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from oneleap.domains.audio.english.letters import END, START, LetterModel, Level
from oneleap.domains.audio.english.symbols import split_phonemes

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


@dataclass
class _Group:
    """Words with the same numbers of letters and of phonemes.

    Attributes:
        rows: Index of each word.
        emissions: For none, one and two phonemes: index into the table of each letter's phonemes,
            (words, n), (words, n, m) and (words, n, m - 1), by letter and first phoneme.
    """

    rows: list[int]
    emissions: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


def _group(words: Mapping[str, Sequence[str]], index: Mapping[str, int]) -> list[_Group]:
    """Group words by shape, and look up where the table has their emissions."""
    shapes: dict[tuple[int, int], list[int]] = {}
    entries = list(words.items())
    for i, (word, said) in enumerate(entries):
        if 0 < len(said) <= 2 * len(word):
            shapes.setdefault((len(word), len(said)), []).append(i)
    n, groups = len(index), list[_Group]()
    for rows in shapes.values():
        letters = np.array([[ord(c) - ord("a") for c in entries[i][0]] for i in rows])
        phonemes = np.array([[index[p] for p in entries[i][1]] for i in rows])
        pairs = phonemes[:, :-1] * n + phonemes[:, 1:]
        base = letters * (1 + n + n * n)
        one = base[:, :, None] + 1 + phonemes[:, None]
        two = base[:, :, None] + 1 + n + pairs[:, None]
        groups.append(_Group(rows, (base, one, two)))
    return groups


def _shifted(values: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Move columns by k to the right; the first k are 0."""
    return np.pad(values, ((0, 0), (k, 0)))


def _expect(group: _Group, prob: NDArray[np.float64], new: NDArray[np.float64]) -> None:
    """Add the expected counts of the phonemes of each letter; both tables are flat."""
    none, one, two = (prob[where] for where in group.emissions)
    rows, n, m = one.shape
    forward = np.zeros((n + 1, rows, m + 1))
    back = np.zeros((n + 1, rows, m + 1))
    forward[0, :, 0] = back[n, :, m] = 1.0
    for i in range(n):
        f = forward[i]
        forward[i + 1] = f * none[:, i, None]
        forward[i + 1] += _shifted(f[:, :-1] * one[:, i], 1)
        forward[i + 1] += _shifted(f[:, :-2] * two[:, i], 2)
    for i in range(n - 1, -1, -1):
        b = back[i + 1]
        back[i] = b * none[:, i, None]
        back[i, :, :-1] += b[:, 1:] * one[:, i]
        back[i, :, :-2] += b[:, 2:] * two[:, i]
    total = forward[n, :, m]
    scale = np.where(total > 0, 1 / np.maximum(total, 1e-300), 0.0)[:, None]
    for i in range(n):
        f, b = forward[i] * scale, back[i + 1]
        shares = (
            (f * none[:, i, None] * b).sum(1),
            f[:, :-1] * one[:, i] * b[:, 1:],
            f[:, :-2] * two[:, i] * b[:, 2:],
        )
        for where, share in zip(group.emissions, shares, strict=True):
            np.add.at(new, where[:, i], share)


def _best(group: _Group, log_prob: NDArray[np.float64]) -> NDArray[np.int64]:
    """Best number of phonemes of each letter, (words, n); -1 where there is no alignment."""
    none, one, two = (log_prob[where] for where in group.emissions)
    rows, n, m = one.shape
    score = np.full((rows, m + 1), -1e30)
    score[:, 0] = 0.0
    chosen = np.zeros((n, rows, m + 1), np.int64)
    for i in range(n):
        options = np.full((3, rows, m + 1), -2e30)
        options[0] = score + none[:, i, None]
        options[1, :, 1:] = score[:, :-1] + one[:, i]
        options[2, :, 2:] = score[:, :-2] + two[:, i]
        chosen[i], score = options.argmax(0), options.max(0)
    sizes = np.zeros((rows, n), np.int64)
    place, each = np.full(rows, m), np.arange(rows)
    for i in range(n - 1, -1, -1):
        sizes[:, i] = chosen[i, each, np.maximum(place, 0)]
        place = place - sizes[:, i]
    sizes[(score[:, m] < -1e29) | (place != 0)] = -1
    return sizes


def _align(words: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """Align letters and phonemes. A unit is a letter and its phonemes, with spaces between."""
    index = {p: i for i, p in enumerate(sorted({p for said in words.values() for p in said}))}
    n, groups, entries = len(index), _group(words, index), list(words.items())
    prob = np.full((26, 1 + n + n * n), 0.2)
    prob[:, 1 : 1 + n], prob[:, 1 + n :] = 0.6 / n, 0.2 / n**2
    for _ in range(ROUNDS):
        new = np.zeros(prob.size)
        for group in groups:
            _expect(group, prob.ravel(), new)
        prob = new.reshape(prob.shape)
        prob /= np.maximum(prob.sum(1, keepdims=True), 1e-9)
        prob[prob < 1e-7] = 0
    log_prob = np.where(prob > 0, np.log(np.maximum(prob, 1e-12)), -1e30).ravel()
    found = list[list[str]]()
    for group in groups:
        for row, sizes in zip(group.rows, _best(group, log_prob), strict=True):
            if sizes[0] < 0:
                continue
            word, said = entries[row]
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
        if not kept[n]:  # then no longer one is kept either
            break
        grams = sorted(kept[n], key=lambda g: (numbers[g[:-1]], g[-1]))
        keys = np.array([numbers[g[:-1]] * len(units) + g[-1] for g in grams], np.int64)
        log_prob = np.log([kept[n][g] for g in grams]).astype(np.float32)
        back_off = np.log([weights[n].get(g, 1.0) for g in grams]).astype(np.float32)
        levels.append(Level(keys, log_prob, back_off))
        numbers = {g: i for i, g in enumerate(grams)}
    return LetterModel(tuple(units), tuple(levels))
