"""The music model: mel spectrograms of clips, given tags, under any objective of the core."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import TargetGuidance
from oneleap.core.nets.embed import zero_interval_embedding
from oneleap.core.nets.low_rank import load_plain
from oneleap.core.training.model import GenerativeModel, Validation
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.recipe import Recipe
from oneleap.core.training.seed import Step
from oneleap.core.types import Conditioned, Objective, TrainingBatch
from oneleap.domains.audio.mel import check_compatible
from oneleap.domains.music.models.nets import BackboneConfig, DiTConfig, MusicNet
from oneleap.domains.music.spec import MusicBatch, Spec


class MusicModel(GenerativeModel):
    """A generative model of log-mel spectrograms: DITTO's base model, or DITTO-2's student.

    ==============================  ==============================  =======================
    model                           objective                       guidance
    ==============================  ==============================  =======================
    EDM base (DITTO)                ``Denoising``, ``drop`` 0.15    by the sampler
    rectified flow                  ``FlowMatching``, ``drop`` 0.15  by the sampler
    CTD student (DITTO-2)           ``ConsistencyTrajectory``       an input, ``(1, 4)``
    CD student                      ``ConsistencyDistillation``     an input, ``(1, 4)``
    SplitMeanFlow student           ``SplitMeanFlow``               of its teacher, fixed
    MeanFlow, from data             ``MeanFlow``                    of its target
    ==============================  ==============================  =======================

    If the objective draws guidance scales, the network takes the scale as an input. One call then
    gives the guided result at any scale.

    Args:
        spec: Mel format, tags and statistics of the data.
        objective: Training objective.
        backbone: Kind and size of the network.
        drop: Probability that the tags of a row are dropped, for classifier-free guidance. It is
            0 for a student.
        recipe: Settings of training.

    Raises:
        InputError: If ``drop`` is not in [0, 1).
    """

    net: MusicNet
    average: MusicNet

    def __init__(
        self,
        spec: Spec,
        objective: Objective,
        *,
        backbone: BackboneConfig = DiTConfig(),  # noqa: B008  (frozen)
        drop: float = 0.0,
        recipe: Recipe = Recipe(optimizer=AdamConfig(clip=1.0)),  # noqa: B008  (frozen)
    ) -> None:
        if not 0 <= drop < 1:
            raise InputError(f"drop: expected a probability in [0, 1), not {drop}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            guided = samples_guidance_scale(objective)
            net = MusicNet(backbone, spec.mel.n_mels, len(spec.tags), guided)
        super().__init__(net, objective, recipe)
        self.spec, self.backbone, self.drop = spec, backbone, drop
        self.mean: Tensor
        self.std: Tensor
        for name in ("mean", "std"):
            column = torch.tensor(getattr(spec, name)).reshape(-1, 1)
            self.register_buffer(name, column, persistent=False)

    @property
    def guided(self) -> bool:
        """Whether the network takes a guidance scale as an input."""
        return self.net.guided

    def normalize(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """Convert spectrograms in the mel format to the network's normalization, per band."""
        return (mel - self.mean) / self.std

    def denormalize(self, x: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """Inverse of :meth:`normalize`; differentiable."""
        return x * self.std + self.mean

    def next_step(self, run: str) -> tuple[str, ...] | None:
        """See :meth:`oneleap.core.hub.pretrained.Pretrained.next_step`."""
        return (
            "compose",
            "--model",
            run,
            "--method",
            "ditto",
            "--intensity",
            "rise",
            "-o",
            "music.wav",
        )

    def data(self, batch: MusicBatch) -> Float[Tensor, "b mels n"]:
        """Return the normalized clips."""
        return self.normalize(batch.mel)

    def bind(self, batch: MusicBatch, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Bind the networks to the tags. The guidance scale is 1 unless the objective draws it."""
        cond = (batch.tags,) if self.spec.tags else ()
        null = tuple(torch.zeros_like(c) for c in cond)
        scale = batch.tags.new_ones(len(batch.tags)) if self.guided else None
        return TrainingBatch(
            field=Conditioned(net or self.net, cond, null, scale),
            x=self.data(batch),
            target=Conditioned(self.target_net, cond, null, scale),
            teacher=self.teacher_field(batch),
        )

    def prepare(self, batch: MusicBatch, step: Step) -> MusicBatch:
        """Drop the tags of some rows."""
        if not self.drop:
            return batch
        number = torch.rand(len(batch.tags), generator=step.generator(3), device=step.device)
        return batch._replace(tags=batch.tags * (number >= self.drop).unsqueeze(1))

    def validate(self, batch: MusicBatch, step: Step) -> Validation:
        """Compute the loss of the averaged weights, on noise and times that do not change."""
        draw = self.objective.draw(self.data(batch), step.generator(2), step.progress)
        loss = self.evaluate(batch, self.bind(batch, self.average), draw)
        figures = {"loss": loss.per_sample.mean(), **{k: v.mean() for k, v in loss.logs.items()}}
        return Validation({f"val/{name}": x for name, x in figures.items()}, len(batch.mel))

    def load_teacher(self) -> GenerativeModel:
        """See :meth:`GenerativeModel.load_teacher`.

        Raises:
            InputError: If the teacher has another mel format, other tags or other statistics.
        """
        model, teacher = super().load_teacher(), self.recipe.teacher
        if not isinstance(model, MusicModel):
            kind = type(model).__name__
            raise InputError(f"teacher: {teacher} holds a {kind}, not a music model")
        check_compatible(model.spec.mel, self.spec.mel, f"teacher {teacher}", "the data")
        for name in ("tags", "mean", "std"):
            theirs, ours = getattr(model.spec, name), getattr(self.spec, name)
            if theirs != ours:
                raise InputError(
                    f"teacher: {teacher} has {name} {theirs}, the data {ours}: "
                    "train both on the same data.path with the same data.seed"
                )
        return model

    def start_from_teacher(self) -> None:
        """Copy the teacher's weights, where the recipe asks for it.

        The weights of a guidance scale that the teacher lacks keep their initial value 0.

        Raises:
            InputError: If the teacher's network has another shape.
        """
        if not self.recipe.from_teacher:
            return
        weights = self._teacher[0].average.state_dict()
        own = self.average.state_dict()
        scales = {k: v for k, v in own.items() if k.endswith("context.scale.weight")}
        try:
            self.average.load_state_dict(scales | weights)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise InputError(
                f"teacher: {self.recipe.teacher} has another network: {reason}"
            ) from None
        load_plain(self.net, zero_interval_embedding(self.average).state_dict())


def samples_guidance_scale(objective: Objective) -> bool:
    """Return whether an objective draws guidance scales, as an input of its network."""
    guidance = getattr(objective, "guidance", None)
    if isinstance(guidance, TargetGuidance):
        return guidance.scales is not None
    return isinstance(guidance, tuple)
