"""Stops a run whose loss or weights are no finite numbers, before they are written anywhere."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.reading.tensors import not_finite

if TYPE_CHECKING:
    import lightning as L

EVERY = 100
"""Steps between two checks on a GPU or with several processes, because each waits for them."""

SHOWN = 5
"""Number of rows that a message lists."""


class NotFiniteError(InputError):
    """A loss or a weight is NaN or infinite; all processes of a run raise it at the same step."""


@runtime_checkable
class KnowsRows(Protocol):
    """A data loader that knows which rows of the data a batch holds."""

    def rows(self, step: int, rank: int) -> Sequence[int] | None:
        """Return the rows of a batch as indices into the data, or ``None`` if they have none."""


@runtime_checkable
class KeepsCheckpoints(Protocol):
    """A callback that knows the checkpoint to resume from."""

    def last_good(self, trainer: "L.Trainer") -> str | None:
        """Describe the newest checkpoint, or return ``None`` if there is none."""


class Watched(NamedTuple):
    """Losses of one step.

    Attributes:
        step: Gradient step, from 0.
        batch: Number of the batch, from 0.
        losses: Detached losses by name, of the batch () or of each row (b,).
    """

    step: int
    batch: int
    losses: Mapping[str, Tensor]


class FiniteGuard:
    """Looks for a loss that is NaN or infinite.

    On a CPU each loss is checked before its gradient is taken, so the weights stay as they were.
    Elsewhere the losses are kept and checked together every :data:`EVERY` steps, which costs no
    further wait for the device; the message still names the first bad step. Checkpoints and
    exports check the weights too, so nothing bad is ever written.
    """

    def __init__(self) -> None:
        self._seen: list[Watched] = []

    def watch(
        self,
        module: "L.LightningModule",
        losses: Mapping[str, Tensor],
        step: int | None = None,
        batch: int | None = None,
    ) -> None:
        """Keep the losses of this step, and check all that were kept if it is time.

        Args:
            module: Module in training.
            losses: Losses by name, of the batch or of each row.
            step: Gradient step, from 0; by default that of the module.
            batch: Number of the batch; by default the gradient step.

        Raises:
            NotFiniteError: If a loss is not finite.
        """
        step = module.global_step if step is None else step
        kept = {name: loss.detach() for name, loss in losses.items()}
        self._seen.append(Watched(step, step if batch is None else batch, kept))
        if self.checks_at_once(module) or len(self._seen) >= EVERY:
            self.check(module)

    def checks_at_once(self, module: "L.LightningModule") -> bool:
        """Return whether reading a loss waits for nothing: on a CPU, in a single process."""
        return module.device.type == "cpu" and module.trainer.world_size == 1

    def check(self, module: "L.LightningModule") -> None:
        """Check the losses that were kept.

        Raises:
            NotFiniteError: If one is not finite, on any process.
        """
        seen, self._seen = self._seen, []
        flags = [loss.isfinite().all() for each in seen for loss in each.losses.values()]
        good = not flags or bool(torch.stack(flags).all())
        if not _everywhere(module.trainer, good):
            _stop(module.trainer, None if good else _describe_loss(module, seen))


def require_finite(module: "L.LightningModule") -> None:
    """Check all weights and the state of the optimizers; all processes must call it.

    Raises:
        NotFiniteError: If a number is not finite, on any process.
    """
    trainer = module.trainer
    name = not_finite(module.named_parameters())
    if name is None:
        states = (s for optimizer in trainer.optimizers for s in optimizer.state.values())
        moments = ((str(k), v) for state in states for k, v in state.items())
        tensors = ((k, v) for k, v in moments if isinstance(v, Tensor))
        name = not_finite(tensors)
    if not _everywhere(trainer, name is None):
        step = trainer.global_step
        found = None if name is None else (step, f"{name} is not finite after {step} steps")
        _stop(trainer, found)


def _everywhere(trainer: "L.Trainer", good: bool) -> bool:
    """Return whether it is good on all processes."""
    if trainer.world_size == 1:
        return good
    return bool(trainer.strategy.reduce_boolean_decision(good, all=True))


def require_finite_weights(model: nn.Module, what: str) -> None:
    """Check the weights of a model that is to be saved.

    Args:
        model: The model.
        what: What is to be saved, for the message.

    Raises:
        InputError: If a weight is not finite.
    """
    name = not_finite(model.named_parameters())
    if name is not None:
        raise InputError(f"{what}: {name} is not finite, so the model is not written")


def _describe_loss(module: "L.LightningModule", seen: Sequence[Watched]) -> tuple[int, str]:
    """Name the first loss that is not finite, with its rows of the data; its step, and the text."""
    each, name, loss = next(
        (each, name, loss)
        for each in seen
        for name, loss in each.losses.items()
        if not loss.isfinite().all()
    )
    bad = loss.isfinite().logical_not()
    value = float(loss[bad].flatten()[0])
    found = f"{name} is {value} in step {each.step} ({_where(module, each.batch, bad)})"
    if not_finite(module.named_parameters()) is not None:
        found += "; so are the weights, after this step or the one before"
    return each.step, found


def _where(module: "L.LightningModule", batch: int, bad: Tensor) -> str:
    """Describe a batch by its number and, if the loader knows them, its rows of the data."""
    loader, where = module.trainer.train_dataloader, f"batch {batch}"
    rows = loader.rows(batch, module.global_rank) if isinstance(loader, KnowsRows) else None
    if rows is None:
        return where
    if bad.shape == (len(rows),):
        rows = [row for row, is_bad in zip(rows, bad.tolist(), strict=True) if is_bad]
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"{where}, rows {', '.join(map(str, rows[:SHOWN]))}{more} of the data"


def _stop(trainer: "L.Trainer", found: tuple[int, str] | None) -> NoReturn:
    """Raise the error, with the earliest step and the text that any process found."""
    every = [found] * trainer.world_size
    if trainer.world_size > 1:
        torch.distributed.all_gather_object(every, found)
    _, text = min(each for each in every if each is not None)
    keepers = (c for c in trainer.checkpoint_callbacks if isinstance(c, KeepsCheckpoints))
    last = next(filter(None, (keeper.last_good(trainer) for keeper in keepers)), None)
    raise NotFiniteError(
        f"{text}: training stops; last good checkpoint: {last or 'none was written'}. Look at "
        "these data, lower the learning rate, or clip gradients (model.recipe.optimizer)"
    )
