"""Base classes of all models: a network with its objective, moving average and teacher.

Nothing here imports Lightning: models are loaded, sampled and exported without it.
:meth:`Trainable.lightning_module` returns the module that trains a model.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import Pretrained, load_pretrained
from oneleap.core.losses.features import FeatureDistance
from oneleap.core.losses.hooks import RecordsActivations
from oneleap.core.nets.beside.second import SecondModules
from oneleap.core.nets.embed import zero_interval_embedding
from oneleap.core.nets.low_rank import adapt, load_plain
from oneleap.core.training.ema import ema_update, frozen_copy
from oneleap.core.training.recipe import Recipe
from oneleap.core.training.seed import Step
from oneleap.core.types import Draw, Field, Loss, Objective, TrainingBatch

if TYPE_CHECKING:
    import lightning as L

SCORE = "eval/score"
"""Name of the value whose maximum selects the best checkpoint."""


class Trainable(Pretrained, nn.Module, ABC):
    """A model in plain PyTorch with a Lightning module that trains it."""

    @abstractmethod
    def lightning_module(self) -> "L.LightningModule":
        """Wrap this model for ``lightning.Trainer.fit``; only this method imports Lightning."""

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return next(self.parameters()).device


@dataclass(frozen=True)
class Validation:
    """Metrics of one validation batch.

    Attributes:
        figures: Scalars by name. The value named :data:`SCORE` selects the best checkpoint and is
            not written to the log.
        rows: Rows of the batch, its weight in the mean over batches.
    """

    figures: Mapping[str, Tensor]
    rows: int


class GenerativeModel(Trainable):
    """A network under an objective; a domain defines the data and the conditions.

    Args:
        net: Network, called as ``net(z, r, t, *cond)``.
        objective: Any objective of the core.
        recipe: Settings of training.
    """

    average: nn.Module
    """Moving average of ``net``; it generates samples."""

    def __init__(self, net: nn.Module, objective: Objective, recipe: Recipe) -> None:
        super().__init__()
        self.net, self.objective, self.recipe = net, objective, recipe
        # in lists, they are not part of the weights
        self._teacher: list[GenerativeModel] = []
        self._target: list[nn.Module] = []
        self._second: list[SecondModules] = []
        self.average = frozen_copy(net)
        if recipe.rank is not None:
            adapt(self.net, recipe.rank)
        if isinstance(objective, RecordsActivations):
            objective.record_activations(net)

    def lightning_module(self) -> "L.LightningModule":
        """See :meth:`Trainable.lightning_module`."""
        from oneleap.core.training.module import TrainingModule, ValidatingModule

        validates = type(self).validate is not GenerativeModel.validate
        return ValidatingModule(self) if validates else TrainingModule(self)

    @abstractmethod
    def data(self, batch: Any) -> Tensor:
        """Return the data to be generated, (b, *d), as the network sees them; must be cheap."""

    @abstractmethod
    def bind(self, batch: Any, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Bind ``net``, by default the network being trained, to a batch's conditions."""

    def prepare(self, batch: Any, step: Step) -> Any:
        """Crop, augment or drop conditions before the loss; by default return the batch unchanged.

        Args:
            batch: Batch of the data module.
            step: Position of the run; ``step.generator(stream)`` gives the randomness.

        Returns:
            Prepared batch.
        """
        return batch

    def loss(self, batch: Any, draw: Draw) -> Loss:
        """Evaluate the objective on one prepared batch, for given randomness."""
        return self.evaluate(batch, self.bind(batch), draw)

    def evaluate(self, batch: Any, bound: TrainingBatch, draw: Draw) -> Loss:
        """Evaluate the objective on a bound batch, with the second networks if it has any.

        Args:
            batch: Prepared batch.
            bound: Field and data of the batch, with its conditions bound to the network.
            draw: Randomness of the objective.
        """

        def bind(net: nn.Module) -> Field:
            return self.bind(batch, net).field

        for second in self._second:
            teacher = second.teacher(bind)
            bound = replace(
                bound,
                second=second.fields(bind),
                teacher=bound.teacher if teacher is None else teacher,
            )
        return self.objective.loss(bound, draw)

    def train_beside(self, second: SecondModules | None) -> None:
        """Bind second networks to each batch from now on; ``None`` for none."""
        self._second = [] if second is None else [second]

    def validate(self, batch: Any, step: Step) -> Validation:
        """Compute the metrics of one validation batch. By default, a model has no validation.

        Args:
            batch: Batch of the validation data.
            step: Position of the run; ``step.batch`` is the number of the validation batch.

        Returns:
            Metrics of the batch.
        """
        raise NotImplementedError(f"{type(self).__name__} has no validation")

    @property
    def target_net(self) -> nn.Module:
        """The moving average that gives an objective its targets.

        It is :attr:`average`, or during training an average of its own, if the objective has one.
        """
        return self._target[0] if self._target else self.average

    def start_target(self, weights: Mapping[str, Tensor] | None = None) -> None:
        """Give the objective's targets a moving average of their own, if it asks for one.

        Nothing happens if its decay is always that of the average that generates samples.

        Args:
            weights: Weights of an earlier part of the run; by default those of :attr:`average`.
        """
        self._target = []
        decays = {self.objective.target_decay(progress) for progress in (0.0, 1.0)}
        if decays in ({None}, {self.recipe.ema}):
            return
        self._target = [frozen_copy(self.average)]
        if weights is not None:
            self._target[0].load_state_dict(weights)

    def update_target(self, progress: float) -> None:
        """Update the moving average that only gives targets, if there is one."""
        decay = self.objective.target_decay(progress)
        if self._target and decay is not None:
            ema_update(self._target[0], self.net, decay)

    def load_teacher(self) -> "GenerativeModel":
        """Load and freeze the recipe's teacher; training calls this when it starts.

        Building a model does not load it, so a saved student works without its teacher.

        Raises:
            InputError: If there is no such model, or it is not a generative model.
        """
        if self.recipe.teacher is None:
            raise InputError("recipe.teacher is not set: name a trained model")
        model = load_pretrained(self.recipe.teacher)
        if not isinstance(model, GenerativeModel):
            kind = type(model).__name__
            raise InputError(
                f"teacher: {self.recipe.teacher} holds a {kind}, which is not a generative model: "
                "name another"
            )
        self._teacher = [model.requires_grad_(False).to(self.device)]
        metric = getattr(self.objective, "metric", None)
        if isinstance(metric, FeatureDistance):
            metric.record_activations(model.average)
        return model

    def teacher_field(self, batch: Any) -> Field | None:
        """Return the teacher's field under a batch's conditions, or ``None`` without a teacher.

        The field is that of the teacher's moving average, and the teacher normalizes the conditions
        itself.
        """
        return next((m.bind(batch, m.average).field for m in self._teacher), None)

    def start_from_teacher(self) -> None:
        """Copy the teacher's weights if the recipe asks for it.

        Raises:
            InputError: If the teacher's network has another shape.
        """
        if not self.recipe.from_teacher:
            return
        self._load_taught(self.average, self._teacher[0].average.state_dict())
        load_plain(self.net, zero_interval_embedding(self.average).state_dict())

    def start_second(self) -> None:
        """Copy the teacher's weights into the second networks, if there are any.

        Raises:
            InputError: If the teacher's network has another shape.
        """
        for second in self._second:
            weights = self._teacher[0].average.state_dict()
            for net in second.nets:
                self._load_taught(net, weights)

    def _load_taught(self, net: nn.Module, weights: Mapping[str, Tensor]) -> None:
        """Load weights of the teacher into a network.

        Raises:
            InputError: If they do not fit.
        """
        try:
            load_plain(net, weights)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise InputError(
                f"teacher: {self.recipe.teacher} has another network: {reason}: give the model the "
                "sizes in the teacher's config.json"
            ) from None

    def check_source(self, model: "GenerativeModel", name: str) -> None:
        """Check that this model can go on from another one of its kind; by default all can.

        Args:
            model: The other model.
            name: What to call it in a message.

        Raises:
            InputError: If the other model means other data by the same numbers.
        """

    def start_from_init(self) -> None:
        """Copy the averaged weights of the model that the recipe starts from, if it names one.

        Raises:
            InputError: If that model is of another kind, or a weight has another shape.
        """
        source = self.recipe.init_from
        if source is None:
            return
        model = load_pretrained(source)
        if type(model) is not type(self):
            kind, own = type(model).__name__, type(self).__name__
            raise InputError(f"init_from: {source} holds a {kind}: name a {own}")
        self.check_source(model, f"init_from {source}")
        averaged = {k: w for k, w in model.state_dict().items() if not k.startswith("net.")}
        trained = {k: w for k, w in self.state_dict().items() if k.startswith("net.")}
        try:
            self.load_state_dict(trained | averaged)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise InputError(
                f"init_from: {source} has other sizes: {reason}: give the model those in its "
                "config.json"
            ) from None
        load_plain(self.net, self.average.state_dict())


def check_teacher(objective: Objective, recipe: Recipe) -> None:
    """Check that a teacher has an effect, and that an objective that needs one has it.

    Raises:
        InputError: If the objective ignores the teacher, or lacks it.
    """
    use, name = objective.teacher_use(), type(objective).__name__
    if recipe.teacher is not None and use == "none" and not recipe.from_teacher:
        raise InputError(
            f"recipe.teacher: {name} learns from data and would ignore it: remove it, set "
            "recipe.from_teacher to start from its weights, or name an objective that distills, "
            "such as SplitMeanFlow or ConsistencyDistillation"
        )
    if recipe.teacher is None and use == "required":
        raise InputError(
            f"recipe.teacher: {name} distills a teacher, and none was given: name "
            "the folder of a trained model"
        )
