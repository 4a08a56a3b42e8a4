"""The music model: mel spectrograms of clips, given tags, under any objective of the core."""

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
from oneleap.domains.audio.mel import refuse_mismatch
from oneleap.domains.music.models.nets import Backbone, DiT, MusicNet
from oneleap.domains.music.spec import MusicBatch, Spec


class MusicModel(GenerativeModule):
    """A generative model of log-mel spectrograms: DITTO's base model, or DITTO-2's student.

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

    If the objective draws guidance scales, the network takes the scale as an input. One call then
    gives the guided result at any scale.

    Args:
        spec: Mel contract, tags and statistics of the data.
        objective: Training objective.
        backbone: Kind and size of the network.
        drop: Probability that the tags of a row are dropped, for classifier-free guidance. It is
            0 for a student.
        optimizer: Optimizer, schedule and gradient clipping.
        ema: Decay of the moving average of the weights, which is used for sampling, or a schedule.
        seed: Seed of the initial weights and of all random numbers of training.
        compile_loss: Whether the loss is compiled by ``torch.compile``.
        teacher: Model folder of a music model to distill.
        from_teacher: Whether training starts from the teacher's weights.
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
            raise InputError(f"drop: expected a probability in [0, 1), not {drop}")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            net = MusicNet(
                backbone, spec.mel.n_mels, len(spec.tags), samples_guidance_scale(objective)
            )
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
        """Whether the network takes a guidance scale as an input."""
        return self.net.guided

    def normalize(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """Convert spectrograms of the contract to the network's normalization, per band."""
        return (mel - self.mean) / self.std

    def denormalize(self, x: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """Inverse of :meth:`normalize`; differentiable."""
        return x * self.std + self.mean

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
            target=Conditioned(self.average, cond, null, scale),
            teacher=self.teacher_field(batch),
        )

    def training_step(self, batch: MusicBatch, batch_idx: int) -> Tensor | None:
        """Drop the tags of some rows, then train."""
        if self.drop:
            generator = self.generator(stream=3)
            share = torch.rand(len(batch.tags), generator=generator, device=self.device)
            batch = batch._replace(tags=batch.tags * (share >= self.drop).unsqueeze(1))
        return super().training_step(batch, batch_idx)

    def validation_step(self, batch: MusicBatch, batch_idx: int) -> None:
        """Log the loss of the averaged weights on fixed noise and times."""
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
            InputError: If the teacher has another contract, other tags or other statistics.
        """
        model = super().load_teacher()
        if not isinstance(model, MusicModel):
            raise InputError(
                f"teacher: {self.teacher} holds a {type(model).__name__}, not a music model"
            )
        refuse_mismatch(model.spec.mel, self.spec.mel, f"teacher {self.teacher}", "the data")
        for name in ("tags", "mean", "std"):
            theirs, ours = getattr(model.spec, name), getattr(self.spec, name)
            if theirs != ours:
                raise InputError(
                    f"teacher: {self.teacher} has {name} {theirs}, the data {ours}: "
                    "train both on the same data.path with the same data.seed"
                )
        return model

    def on_train_start(self) -> None:
        """Copy the teacher's weights, if ``from_teacher``.

        The weights of a guidance scale that the teacher lacks keep their initial value 0.

        Raises:
            InputError: If the teacher's network is of another size.
        """
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


def samples_guidance_scale(objective: Objective) -> bool:
    """Return whether an objective draws guidance scales, as an input of its network."""
    guidance = getattr(objective, "guidance", None)
    if isinstance(guidance, TargetGuidance):
        return guidance.scales is not None
    return isinstance(guidance, tuple)
