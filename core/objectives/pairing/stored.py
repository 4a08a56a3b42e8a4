"""Any objective on pairs of noise and data that a teacher made beforehand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.objectives.pairing.around import Around
from oneleap.core.reading.guard import reading
from oneleap.core.reading.tensors import require_finite_tensors
from oneleap.core.types import Draw, Loss, TrainingBatch

B = TypeVar("B")

MADE_BY = "oneleap pairs"


@dataclass(frozen=True)
class PairedBatch:
    """A prepared batch, and a teacher's pairs under its conditions.

    Attributes:
        leaves: Fields of the batch, in order; ``None`` where a field is not set.
        e: Noise, (b, *d).
        x: Data that the teacher's ODE makes of it, (b, *d).
    """

    leaves: tuple[Tensor | None, ...]
    e: Float[Tensor, "b *d"]
    x: Float[Tensor, "b *d"]


@dataclass(frozen=True)
class StoredPairs(Around):
    """Noise and the data that a teacher's ODE makes of it, read from a file (2209.03003, Alg. 1).

    ``oneleap pairs`` solves the ODE of a trained model once, for batches of its data, and writes
    the pairs with the conditions. A run reads them in place of the batches of the data module, in
    an order that is shuffled anew each time all have been read. The pairs are deterministic, so
    lines between them hardly cross: flow matching on them is reflow, MeanFlow with
    :class:`oneleap.core.paths.times.GapPairs` is Re-MeanFlow, and a consistency loss sees both ends
    of one trajectory. Any objective that reads noise and data trains from them. Cost: that of the
    objective; the teacher is not run.

    Traps: few pairs are learned by heart. A student is at best as good as the teacher's solver.
    The guidance of the teacher is that of the file. Objectives with a second network do not read
    noise and data in pairs, so they are refused.

    Deviation: the same noise is read again, where reflow's pairs may be as many as wanted;
    :class:`oneleap.core.objectives.Reflow` draws fresh noise for every step.

    Attributes:
        objective: Objective; ``None`` is ``MeanFlow()``, see
            :class:`oneleap.core.objectives.Dispersed` for the reason.
        path: File of ``oneleap pairs``.
    """

    path: str = "pairs.safetensors"
    _read: list[list[PairedBatch]] = field(
        default_factory=list, init=False, repr=False, compare=False
    )

    def take(self, batch: B, number: int, seed: int, kind: str) -> tuple[B, PairedBatch]:
        """Take stored pairs in place of a batch; training calls this before the draw.

        Args:
            batch: Prepared batch of the data module, for the names of its fields.
            number: Number of the batch within the run, over all processes.
            seed: Seed of the order.
            kind: Class of the model.

        Returns:
            The stored batch, and its pairs.

        Raises:
            InputError: If there is no such file, or it belongs to another model.
        """
        if not self._read:
            self._read.append(read_pairs(Path(self.path), kind))
        pairs = self._read[0]
        turn, index = divmod(number, len(pairs))
        order = torch.randperm(len(pairs), generator=torch.Generator().manual_seed(seed + turn))
        return stored_batch(batch, pairs[int(order[index])])

    def loss(self, batch: TrainingBatch, draw: Draw) -> Loss:
        """Loss of the inner objective on the pair of the draw.

        Raises:
            InputError: If the draw holds no pair, as outside of training.
        """
        if draw.x is None:
            raise InputError("StoredPairs needs stored pairs in its draw: call take() first")
        return self.inner.loss(replace(batch, x=draw.x), replace(draw, x=None))


def stored_batch(batch: B, pair: PairedBatch) -> tuple[B, PairedBatch]:
    """Put the fields of a stored batch in place of those of a batch.

    Args:
        batch: Batch of the data module: a tensor, or a named tuple of tensors.
        pair: Stored batch.

    Returns:
        The batch on its own device, and the pairs there.

    Raises:
        InputError: If the batch has other fields.
    """
    own = fields_of(batch)
    known = [leaf is not None for leaf in own]
    if known != [leaf is not None for leaf in pair.leaves]:
        raise InputError("path: the pairs belong to batches with other fields: make them anew")
    device = next(leaf.device for leaf in own if leaf is not None)
    leaves = [None if leaf is None else leaf.to(device) for leaf in pair.leaves]
    rebuilt: Any = leaves[0] if isinstance(batch, Tensor) else type(batch)(*leaves)
    return rebuilt, PairedBatch(pair.leaves, pair.e.to(device), pair.x.to(device))


def fields_of(batch: Any) -> Sequence[Tensor | None]:
    """Fields of a prepared batch.

    Raises:
        InputError: If one of them is neither a tensor nor ``None``.
    """
    leaves: Sequence[Any] = (batch,) if isinstance(batch, Tensor) else tuple(batch)
    if any(not isinstance(leaf, Tensor | None) for leaf in leaves):
        raise InputError(f"pairs: a {type(batch).__name__} has fields that are no tensors")
    return leaves


def write_pairs(path: Path, pairs: Sequence[PairedBatch], about: dict[str, str]) -> None:
    """Write pairs and what made them.

    Args:
        path: File, of the format safetensors.
        pairs: Batches.
        about: What made them; ``model`` is the class of the teacher.
    """
    from safetensors.torch import save_file

    tensors: dict[str, Tensor] = {}
    for k, pair in enumerate(pairs):
        tensors |= {f"{k}.e": pair.e, f"{k}.x": pair.x}
        for i, leaf in enumerate(pair.leaves):
            if leaf is not None:
                tensors[f"{k}.batch.{i}"] = leaf
    shape = {"batches": len(pairs), "fields": len(pairs[0].leaves)}
    apart = {name: value.detach().cpu().clone().contiguous() for name, value in tensors.items()}
    with atomic_write(path) as temporary:
        save_file(apart, temporary, metadata=about | {"by": MADE_BY, "shape": json.dumps(shape)})


def read_pairs(path: Path, kind: str) -> list[PairedBatch]:
    """Read pairs.

    Args:
        path: File of :func:`write_pairs`.
        kind: Class of the model that is to learn from them.

    Raises:
        InputError: If there is no such file, it holds no pairs, or those of another model.
    """
    from safetensors import safe_open

    if not path.is_file():
        raise InputError(f"path: {path}: no such file: make pairs with {MADE_BY} RUN -o {path}")
    with (
        reading(path, "a file of pairs", f"make it anew with {MADE_BY}"),
        safe_open(path, framework="pt") as file,
    ):
        about: dict[str, str] = file.metadata() or {}
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping)
    if about.get("by") != MADE_BY:
        raise InputError(f"path: {path} holds no pairs: make them with {MADE_BY} RUN -o {path}")
    if about.get("model") != kind:
        raise InputError(f"path: {path} holds pairs of a {about.get('model')}, not of a {kind}")
    ends = ((name, x) for name, x in tensors.items() if name.endswith((".e", ".x")))
    require_finite_tensors(path, ends)  # fields of a batch may be NaN where they are not known
    try:
        shape = json.loads(about["shape"])
        pairs = [
            PairedBatch(
                tuple(tensors.get(f"{k}.batch.{i}") for i in range(int(shape["fields"]))),
                tensors[f"{k}.e"],
                tensors[f"{k}.x"],
            )
            for k in range(int(shape["batches"]))
        ]
    except (KeyError, TypeError, ValueError):
        raise InputError(f"path: {path} is damaged: make it anew with {MADE_BY}") from None
    if not pairs:
        raise InputError(f"path: {path} holds no pairs: make them with {MADE_BY} RUN -o {path}")
    return pairs
