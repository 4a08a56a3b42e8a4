"""The model of unknown words: an n-gram model of letters with their phonemes."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

END, START = 0, 1
"""Numbers of the units that end and begin each word."""

BEAM = 16
"""Number of readings that are followed at once."""

STEP = 1 / 12
"""Resolution of stored logarithms, in nats."""


class Level(NamedTuple):
    """The n-grams of one length, sorted by key.

    Attributes:
        keys: Number of the n-gram's context among the shorter ones, times the number of units,
            plus the number of its last unit.
        log_prob: Logarithm of the probability of the last unit after the context.
        back_off: Logarithm of the weight of the next lower level after this n-gram.
    """

    keys: NDArray[np.int64]
    log_prob: NDArray[np.float32]
    back_off: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class LetterModel:
    """Reads words that no dictionary has.

    Attributes:
        units: Letters with their phonemes, such as ``x k s``.
        levels: The n-grams, from single units to the longest.
    """

    units: tuple[str, ...]
    levels: tuple[Level, ...]

    @cached_property
    def _by_letter(self) -> dict[str, NDArray[np.int64]]:
        groups: dict[str, list[int]] = {}
        for i, unit in enumerate(self.units):
            groups.setdefault(unit[:1], []).append(i)
        return {letter: np.array(ids) for letter, ids in groups.items()}

    def read(self, word: str) -> str:
        """Return the phonemes of a word in small letters a to z; other letters are skipped.

        Of the readings in the beam, the best with exactly one first stress is taken.
        """
        histories = np.full((1, len(self.levels)), -1)
        histories[0, 1:2] = START  # a context of length 1 is numbered as its unit
        histories[0, 0] = 0
        scores, paths = np.zeros(1), [()]
        for letter in word:
            options = self._by_letter.get(letter) if letter else None
            if options is None:
                continue
            gains, after = self._extend(histories, options)
            total = (scores[:, None] + gains).ravel()
            best = np.argsort(-total)[:BEAM]
            rows, columns = np.divmod(best, len(options))
            scores, histories = total[best], after[rows, columns]
            paths = [(*paths[r], int(options[c])) for r, c in zip(rows, columns, strict=True)]
        gains, _ = self._extend(histories, np.array([END]))
        order = np.argsort(-(scores + gains[:, 0]))
        said = ["".join(self.units[u][1:].replace(" ", "") for u in paths[i]) for i in order]
        return next((s for s in said if s.count("ˈ") == 1), said[0])

    def _extend(
        self, histories: NDArray[np.int64], options: NDArray[np.int64]
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Extend each history by each option.

        Args:
            histories: Row per history: number of its last k units as an n-gram, -1 if it is none.
            options: Numbers of units.

        Returns:
            Log probabilities, and the histories after.
        """
        shape = (len(histories), len(options))
        found = np.zeros(shape)
        after = np.full((*shape, len(self.levels)), -1)
        after[..., 0] = 0
        for k, level in enumerate(self.levels):  # contexts of k units, from short to long
            context = histories[:, k : k + 1]
            keys = context * len(self.units) + options
            place = np.minimum(np.searchsorted(level.keys, keys), len(level.keys) - 1)
            known = (context >= 0) & (level.keys[place] == keys)
            weight = self.levels[k - 1].back_off[np.maximum(context, 0)] if k else np.zeros(1)
            lower = found + np.where(context >= 0, weight, 0.0)
            found = np.where(known, level.log_prob[place], lower)
            if k + 1 < len(self.levels):
                after[..., k + 1] = np.where(known, place, -1)
        return found, after

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the model. Logarithms are rounded to :data:`STEP`, keys to their differences."""
        arrays: dict[str, NDArray[np.generic]] = {"units": np.array(self.units)}
        for n, level in enumerate(self.levels):
            gaps = np.diff(level.keys, prepend=0)
            arrays[f"gaps{n}"] = gaps.astype(np.uint16 if gaps.max() < 2**16 else np.uint32)
            arrays[f"log_prob{n}"] = _pack(level.log_prob)
            if n + 1 < len(self.levels):
                arrays[f"back_off{n}"] = _pack(level.back_off)
        with open(path, "wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "LetterModel":
        """Read a model."""
        levels = []
        with np.load(path, allow_pickle=False) as arrays:
            units: Sequence[str] = arrays["units"].tolist()
            for n in range(sum(name.startswith("gaps") for name in arrays.files)):
                keys = np.cumsum(arrays[f"gaps{n}"].astype(np.int64))
                log_prob = arrays[f"log_prob{n}"] * np.float32(STEP)
                name = f"back_off{n}"
                packed = arrays[name] if name in arrays.files else np.zeros(len(keys), np.int8)
                levels.append(Level(keys, log_prob, packed * np.float32(STEP)))
        return cls(tuple(units), tuple(levels))


def _pack(values: NDArray[np.float32]) -> NDArray[np.int8]:
    packed: NDArray[np.int8] = np.clip(np.round(values / STEP), -128, 127).astype(np.int8)
    return packed
