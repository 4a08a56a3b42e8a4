"""A music model: spectrograms of clips, given tags, under any objective of the core."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import TargetGuidance
from oneleap.core.nets.embed import zero_interval_embedding
from oneleap.core.training.ema import PowerEMA
from oneleap.core.training.module import GenerativeModule
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.seed import step_generator
from oneleap.core.types import Conditioned, Objective, TrainingBatch
from oneleap.domains.audio.mel import check_compatible
from oneleap.domains.music.models.nets import Backbone, DiT, MusicNet
from oneleap.domains.music.spec import Batch, Spec


class MusicModel(GenerativeModule):
    """Noise to log-mel spectrograms of music; DITTO's base model and DITTO-2's student.

    ==============================  ==============================  =======================
    model                           objective                       guidance
    ==============================  ==============================  =======================
    EDM base (DITTO)                ``Denoising``, ``drop`` 0.15    of the sampler
    rectified flow                  ``FlowMatching``, ``drop`` 0.15  of the sampler
    CTD student (DITTO-2)           ``ConsistencyTrajectory``       an input, ``(1, 4)``
    CD student                      ``ConsistencyDistillation``     an input, ``(1, 4)``
    SplitMeanFlow student           ``SplitMeanFlow``               of its teacher, baked in
    MeanFlow, from data             ``MeanFlow``                    of its target
    ==============================  ==============================  =======================

    Where an objective draws guidance scales its network takes them as an input, so that one call
    answers for every scale.

    Args:
        spec: Contract, tags and statistics.
        objective: How it learns.
        backbone: Kind and size of the network.
        drop: Probability that a row's tags are dropped, for guidance; 0 in a student.
        optimizer: Optimiser, schedule and gradient clip.
        ema: Decay of the moving average that is sampled from, or a schedule.
        seed: Of initial weights and of all draws of training.
        compile_loss: Run the loss through ``torch.compile``.
        teacher: Model folder of a music model to distil.
        from_teacher: Start from the teacher's weights.
    """

    net: MusicNet
    average: MusicNet

    def __init__(
        self,
        spec: Spec,
        objective: Objective,
        *,
        backbone: Backbone = DiT(),  # noqa: B008  (frozen)
        drop: float = 0.0,
        optimizer: AdamConfig = AdamConfig(clip=1.0),  # noqa: B008  (frozen)
        ema: float | PowerEMA = 0.999,
        seed: int = 0,
        compile_loss: bool = False,
        teacher: str | None = None,
        from_teacher: bool = False,
    ) -> None:
        if not 0 <= drop < 1:
            raise InputError(f"drop: a share of rows in [0, 1), not {drop}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = MusicNet(backbone, spec.mel.n_mels, len(spec.tags), draws_scales(objective))
        super().__init__(
            net,
            objective,
            optimizer=optimizer,
            ema=ema,
            seed=seed,
            compile_loss=compile_loss,
            teacher=teacher,
            from_teacher=from_teacher,
        )
        self.spec, self.backbone, self.drop = spec, backbone, drop
        self.mean: Tensor
        self.std: Tensor
        for name in ("mean", "std"):
            column = torch.tensor(getattr(spec, name)).reshape(-1, 1)
            self.register_buffer(name, column, persistent=False)

    @property
    def guided(self) -> bool:
        """Whether the network takes a guidance scale."""
        return self.net.guided

    def normalised(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """A spectrogram of the contract, as the network sees it."""
        return (mel - self.mean) / self.std

    def features(self, x: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """The way back; differentiable."""
        return x * self.std + self.mean

    def data(self, batch: Batch) -> Float[Tensor, "b mels n"]:
        """Normalised clips."""
        return self.normalised(batch.mel)

    def bind(self, batch: Batch, net: Callable[..., Tensor] | None = None) -> TrainingBatch:
        """Clips given their tags; outside an objective's own draws the guidance scale is 1."""
        cond = (batch.tags,) if self.spec.tags else ()
        null = tuple(torch.zeros_like(c) for c in cond)
        scale = batch.tags.new_ones(len(batch.tags)) if self.guided else None
        return TrainingBatch(
            field=Conditioned(net or self.net, cond, null, scale),
            x=self.data(batch),
            target=Conditioned(self.average, cond, null, scale),
            teacher=self.teacher_field(batch),
        )

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor | None:
        """Drop tags, then train."""
        if self.drop:
            generator = self.generator(stream=3)
            share = torch.rand(len(batch.tags), generator=generator, device=self.device)
            batch = batch._replace(tags=batch.tags * (share >= self.drop).unsqueeze(1))
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        """The average's loss at fixed draws."""
        generator = step_generator(self.seed, batch_idx, 2, self.device)
        draw = self.objective.draw(self.data(batch), generator, self.progress)
        loss = self.objective.loss(self.bind(batch, self.average), draw)
        figures = {"loss": loss.per_sample.mean(), **{k: v.mean() for k, v in loss.logs.items()}}
        self.log_dict(
            {f"val/{name}": value for name, value in figures.items()}, batch_size=len(batch.mel)
        )

    def load_teacher(self) -> GenerativeModule:
        """See :meth:`GenerativeModule.load_teacher`.

        Raises:
            InputError: If it has another contract, other tags or other statistics.
        """
        model = super().load_teacher()
        if not isinstance(model, MusicModel):
            raise InputError(f"teacher: {self.teacher} holds a {type(model).__name__}")
        check_compatible(model.spec.mel, self.spec.mel, f"teacher {self.teacher}", "the data")
        for name in ("tags", "mean", "std"):
            theirs, ours = getattr(model.spec, name), getattr(self.spec, name)
            if theirs != ours:
                raise InputError(
                    f"teacher: {self.teacher} has {name} {theirs}, the data {ours}: "
                    "train it on the same data.path and data.seed"
                )
        return model

    def on_train_start(self) -> None:
        """Take the teacher's weights; one that knows no scales is the same at all of them."""
        if not self.from_teacher or self.global_step > 0:
            return
        weights = self._teacher[0].average.state_dict()
        own = self.net.state_dict()
        scales = {k: v for k, v in own.items() if k.endswith("context.scale.weight")}
        try:
            self.net.load_state_dict(scales | weights)
        except RuntimeError as error:
            reason = str(error).splitlines()[-1].strip()
            raise InputError(f"teacher: {self.teacher} has another network: {reason}") from None
        self.average.load_state_dict(zero_interval_embedding(self.net).state_dict())


def draws_scales(objective: Objective) -> bool:
    """Whether an objective asks its network at guidance scales that it draws."""
    guidance = getattr(objective, "guidance", None)
    if isinstance(guidance, TargetGuidance):
        return guidance.scales is not None
    return isinstance(guidance, tuple)
