"""The composer: a base model, a one-step student, and a vocoder."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError, suggest
from oneleap.core.fields.guidance import GuidedField
from oneleap.core.files import atomic_write
from oneleap.core.hub.pretrained import CARD
from oneleap.core.hub.quantization import Bits
from oneleap.core.objectives import (
    ConsistencyDistillation,
    ConsistencyTraining,
    EasyConsistencyTuning,
    ImprovedConsistencyTraining,
)
from oneleap.core.sampling.consistency import consistency
from oneleap.core.sampling.ode import sample
from oneleap.core.training.release import save_release
from oneleap.core.types import Field
from oneleap.domains.audio.mel import check_compatible
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.music.composer.loading import (
    BASE,
    DEFAULT,
    STUDENT,
    VOCODER,
    find_composer,
    load_music_model,
    load_vocoder,
    read_guidance,
    write_composer_config,
)
from oneleap.domains.music.models.model import MusicModel
from oneleap.domains.music.spec import Spec

Surrogate = Callable[[Tensor], Tensor]
"""Noise (b, mels, n) to spectrograms in the mel format, (b, mels, n), in one network call."""

JUMPS_TO_DATA_ONLY = (
    ConsistencyDistillation,
    ConsistencyTraining,
    EasyConsistencyTuning,
    ImprovedConsistencyTraining,
)
"""Objectives whose networks only jump to the data. Their samplers add noise between steps."""


@dataclass(frozen=True, eq=False)
class Composer:
    """Generates music.

    Noise is standard normal, (b, mels, n). A spectrogram, *mel* for short, follows the format
    ``spec.mel``: :func:`oneleap.domains.audio.mel.magnitudes` and vocoders take it. Fields take
    spectrograms that are normalized band by band; :meth:`denormalize` and :meth:`normalize`
    convert. No weight takes a gradient, but all methods are differentiable in the noise.

    >>> composer = Composer.load()  # doctest: +SKIP
    >>> noise = composer.noise(1, 6.0, torch.Generator().manual_seed(0))  # doctest: +SKIP
    >>> wave = composer.vocode(composer.decode(noise, steps=2))  # doctest: +SKIP

    Attributes:
        base: Model that samples in many steps.
        student: One-step model, or ``None``.
        vocoder: Vocoder of the same format.
        guidance: Default guidance scale.
    """

    base: MusicModel
    student: MusicModel | None
    vocoder: Vocos | GriffinLim
    guidance: float = 1.0

    @classmethod
    def load(
        cls, name: str | os.PathLike[str] = DEFAULT, *, device: str | torch.device = "cpu"
    ) -> "Composer":
        """Load a composer.

        Args:
            name: Name of a shipped composer, or a composer's folder. A folder of a music model or
                of a run also works: the composer then has no student.
            device: Device of the networks.

        Raises:
            InputError: If there is no such composer, or its parts do not fit together.
        """
        folder = find_composer(name)
        if not (folder / BASE).is_dir():
            return cls.from_parts(load_music_model(folder)).to(device)
        guidance = read_guidance(folder)
        base = load_music_model(folder / BASE)
        student = load_music_model(folder / STUDENT) if (folder / STUDENT).is_dir() else None
        vocoder = load_vocoder(folder / VOCODER) if (folder / VOCODER).is_dir() else None
        return cls.from_parts(base, student, vocoder, guidance).to(device)

    @classmethod
    def from_parts(
        cls,
        base: MusicModel,
        student: MusicModel | None = None,
        vocoder: Vocos | None = None,
        guidance: float = 1.0,
    ) -> "Composer":
        """Make a composer of models. Their weights are frozen.

        Args:
            base: Model that samples in many steps.
            student: One-step model of the same format, tags and statistics.
            vocoder: Vocoder of the same format; the default is Griffin-Lim.
            guidance: Default guidance scale.

        Returns:
            The composer, in evaluation mode.

        Raises:
            InputError: If the parts have different formats, tags or statistics.
        """
        spec = base.spec
        if student is not None:
            check_compatible(spec.mel, student.spec.mel, "the base model", "its student")
            for name in ("tags", "mean", "std"):
                ours, theirs = getattr(spec, name), getattr(student.spec, name)
                if ours != theirs:
                    raise InputError(f"the student has {name} {theirs}, its base model {ours}")
        if vocoder is not None:
            check_compatible(spec.mel, vocoder.spec, "the base model", "the vocoder")
        parts = [part for part in (base, student, vocoder) if part is not None]
        for part in parts:
            assert isinstance(part, nn.Module)
            part.eval().requires_grad_(False)
        return cls(base, student, vocoder or GriffinLim(spec.mel), guidance)

    def to(self, device: str | torch.device) -> "Composer":
        """Move all parts to a device, and return the composer."""
        for part in (self.base, self.student, self.vocoder):
            if part is not None:
                part.to(device)
        return self

    @property
    def spec(self) -> Spec:
        """Mel format, tags, frames of a training clip, and statistics."""
        return self.base.spec

    @property
    def device(self) -> torch.device:
        """Device of the weights."""
        return self.base.mean.device

    # Noise and normalization

    def frames(self, seconds: float) -> int:
        """Return the frames of a clip: the next multiple of the network's patch.

        Raises:
            InputError: If ``seconds`` is not positive and finite.
        """
        if not (math.isfinite(seconds) and seconds > 0):
            raise InputError(f"seconds: must be positive and finite, not {seconds}")
        p = self.base.backbone.patch
        return math.ceil(seconds * self.spec.mel.frame_rate / p) * p

    def noise(
        self, b: int, seconds: float, generator: torch.Generator | None = None
    ) -> Float[Tensor, "b mels n"]:
        """Draw standard normal noise.

        Args:
            b: Number of clips.
            seconds: Duration of a clip; see :meth:`frames`.
            generator: Random generator on the CPU.

        Returns:
            Noise, (b, mels, n), on the composer's device.
        """
        shape = (b, self.spec.mel.n_mels, self.frames(seconds))
        return torch.randn(shape, generator=generator).to(self.device)

    def denormalize(self, x: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """Convert the result of a field to spectrograms in the mel format."""
        return self.base.denormalize(x)

    def normalize(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """Inverse of :meth:`denormalize`."""
        return self.base.normalize(mel)

    # Models

    def field(self, tags: Sequence[str] = (), guidance: float | None = None) -> Field:
        """Return the velocity field of the base model, for the samplers of the core.

        It takes normalized spectrograms. Cost: 1 network evaluation per call, 2 with guidance.

        Args:
            tags: Tags of the spec.
            guidance: Guidance scale; 1 means no guidance. The default is the composer's scale, or
                1 without tags.

        Raises:
            InputError: If there is no such tag.
        """
        condition = self.condition(tags)
        scale = self.guidance_scale(tags, guidance)
        conditional = _conditioned_field(self.base, condition)
        if scale == 1 or not tags:
            return conditional
        return GuidedField(
            conditional, _conditioned_field(self.base, torch.zeros_like(condition)), scale
        )

    def student_field(self, tags: Sequence[str] = (), guidance: float | None = None) -> Field:
        """Return the mean velocity field of the student; 1 network evaluation per call.

        Args:
            tags: Tags of the spec.
            guidance: Guidance scale, if the student takes one. A student that was distilled at a
                fixed scale takes none.

        Raises:
            InputError: If there is no student or no such tag, or if the scale is fixed.
        """
        if self.student is None:
            raise InputError("composer: it has no student: pack one with its base model")
        if not self.student.guided:
            if guidance is not None:
                raise InputError(
                    "guidance: this composer's student was distilled at a fixed scale: leave it out"
                )
            return _conditioned_field(self.student, self.condition(tags))
        scale = self.guidance_scale(tags, guidance)
        return _conditioned_field(self.student, self.condition(tags), scale)

    def surrogate(self, tags: Sequence[str] = (), guidance: float | None = None) -> Surrogate:
        """Return the student's single step as a function of the noise; see :meth:`student_field`.

        DITTO-2 optimizes the noise through this function.
        """
        field = self.student_field(tags, guidance)
        return lambda noise: self.denormalize(sample(field, noise))

    def decode(
        self,
        noise: Float[Tensor, "b mels n"],
        steps: int = 1,
        tags: Sequence[str] = (),
        guidance: float | None = None,
    ) -> Float[Tensor, "b mels n"]:
        """Generate spectrograms with the student. The result is a function of the noise.

        The sampler is deterministic (CTM with ``gamma = 0``). One step equals
        :meth:`surrogate` bit for bit. A student that only jumps to the data needs noise between
        steps; it is always the same. Cost: ``steps`` network evaluations.

        Args:
            noise: Standard normal noise.
            steps: Number of steps.
            tags: Tags of the spec.
            guidance: Guidance scale; see :meth:`student_field`.

        Returns:
            Spectrograms in the mel format, (b, mels, n).
        """
        field = self.student_field(tags, guidance)
        objective = self.student and self.student.objective
        if steps == 1 or not isinstance(objective, JUMPS_TO_DATA_ONLY):
            return self.denormalize(sample(field, noise, steps=steps))
        generator = torch.Generator().manual_seed(0)
        shape = (max(0, steps - 1), 1, *noise.shape[1:])
        fixed = torch.randn(shape, generator=generator).to(noise).expand(-1, len(noise), -1, -1)
        return self.denormalize(consistency(field, noise, steps=steps, noises=fixed))

    def vocode(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b samples"]:
        """Convert spectrograms to samples, one hop per frame.

        Samples can exceed [-1, 1] slightly. The method is differentiable if the vocoder is Vocos.
        """
        wave: Tensor = self.vocoder(mel)
        return wave

    # Conditions

    def condition(self, tags: Sequence[str]) -> Float[Tensor, "k"]:
        """Return the condition vector of tags.

        Raises:
            InputError: If there is no such tag.
        """
        known = self.spec.tags
        for tag in tags:
            if tag not in known:
                names = ", ".join(known) if known else "this composer has none"
                raise InputError(f"tags: no '{tag}'{suggest(tag, known)} ({names})")
        return torch.tensor([float(tag in tags) for tag in known], device=self.device)

    def guidance_scale(self, tags: Sequence[str], guidance: float | None) -> float:
        """Return the guidance scale: the given one, or else the default, or 1 without tags.

        Raises:
            InputError: If it is negative or infinite.
        """
        chosen = (self.guidance if tags else 1.0) if guidance is None else guidance
        if not 0 <= chosen < math.inf:
            raise InputError(f"guidance: must be finite and not negative, not {chosen}")
        return chosen

    # Files

    def save(self, folder: str | os.PathLike[str], *, card: str = "", bits: Bits = 16) -> None:
        """Write a folder that :meth:`load` takes. Only the averaged weights are written.

        A Griffin-Lim vocoder is not written: it is the default of a folder without a vocoder.

        Args:
            folder: Folder of the composer.
            card: Text of the model card.
            bits: Bits of a weight: 32, 16 or 8.
        """
        folder = Path(folder)
        save_release(self.base, folder / BASE, bits=bits)
        if self.student is not None:
            save_release(self.student, folder / STUDENT, bits=bits)
        if isinstance(self.vocoder, Vocos):
            save_release(self.vocoder, folder / VOCODER, bits=bits)
        with atomic_write(folder / CARD) as path:
            path.write_text(card, encoding="utf-8")
        write_composer_config(folder, self.guidance)


def _conditioned_field(
    model: MusicModel, tags: Float[Tensor, "k"], scale: float | None = None
) -> Field:
    """Return the field of the averaged weights with the same tags for every row."""

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        cond = (tags.to(z).expand(len(z), -1),) if len(tags) else ()
        guidance = torch.full_like(t, 1.0 if scale is None else scale) if model.guided else None
        u: Tensor = model.average(z, r, t, *cond, guidance=guidance)
        return u

    return field
