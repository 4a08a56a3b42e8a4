"""A composer: a base model, a student of one step, and the vocoder that both are heard by."""

import math
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError, nearest
from oneleap.core.fields.guidance import Guided
from oneleap.core.files import replacing
from oneleap.core.hub.pretrained import CARD
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
    find,
    load_model,
    load_vocoder,
    read_guidance,
    write_settings,
)
from oneleap.domains.music.models.model import MusicModel
from oneleap.domains.music.spec import Spec

Surrogate = Callable[[Tensor], Tensor]
"""Noise (b, mels, n) to spectrograms of the contract, (b, mels, n), in one network call."""

TO_DATA = (
    ConsistencyDistillation,
    ConsistencyTraining,
    EasyConsistencyTuning,
    ImprovedConsistencyTraining,
)
"""Objectives that train leaps to the data only: several steps go back to noise in between."""


@dataclass(frozen=True, eq=False)
class Composer:
    """Makes music.

    Noise is standard normal, (b, mels, n). A spectrogram, *mel* for short, is one of the contract
    ``spec.mel``: :func:`oneleap.domains.audio.mel.magnitudes` understands it, vocoders take it.
    Fields see spectrograms normalised band by band; :meth:`features` and :meth:`normalised`
    translate. No weight takes a gradient; everything is differentiable in the noise.

    >>> composer = Composer.load()  # doctest: +SKIP
    >>> noise = composer.noise(1, 6.0, torch.Generator().manual_seed(0))  # doctest: +SKIP
    >>> wave = composer.vocode(composer.decode(noise, steps=2))  # doctest: +SKIP

    Attributes:
        base: The model of many steps.
        student: The model of one step; ``None`` if there is none.
        vocoder: Spectrograms to sound, of the same contract.
        guidance: Scale where none is asked for.
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
            name: Of one that ships, or a composer's folder, or that of a model or a run, which is
                then the base model of a composer without a student.
            device: Where to compute.

        Raises:
            InputError: If there is none, or its parts do not fit.
        """
        folder = find(name)
        if not (folder / BASE).is_dir():
            return cls.of(load_model(folder)).to(device)
        guidance = read_guidance(folder)
        student = load_model(folder / STUDENT) if (folder / STUDENT).is_dir() else None
        heard = load_vocoder(folder / VOCODER) if (folder / VOCODER).is_dir() else None
        return cls.of(load_model(folder / BASE), student, heard, guidance).to(device)

    @classmethod
    def of(
        cls,
        base: MusicModel,
        student: MusicModel | None = None,
        vocoder: Vocos | None = None,
        guidance: float = 1.0,
    ) -> "Composer":
        """Put parts together; without a vocoder Griffin-Lim is heard.

        Raises:
            InputError: If they are not of one contract, or have other tags.
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
        """The same, moved."""
        for part in (self.base, self.student, self.vocoder):
            if part is not None:
                part.to(device)
        return self

    @property
    def spec(self) -> Spec:
        """Contract of the spectrograms, tags, frames of a training clip, statistics."""
        return self.base.spec

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.base.mean.device

    # Noise and normalisation

    def frames(self, seconds: float) -> int:
        """Frames of a clip at least so long: a multiple of what the network takes at a time.

        Raises:
            InputError: If there would be none.
        """
        if not (math.isfinite(seconds) and seconds > 0):
            raise InputError(f"seconds: a clip is longer than nothing, not {seconds}")
        p = self.base.backbone.patch
        return math.ceil(seconds * self.spec.mel.frame_rate / p) * p

    def noise(
        self, b: int, seconds: float, generator: torch.Generator | None = None
    ) -> Float[Tensor, "b mels n"]:
        """Standard normal noise of ``b`` clips of :meth:`frames`; the generator is a CPU's."""
        shape = (b, self.spec.mel.n_mels, self.frames(seconds))
        return torch.randn(shape, generator=generator).to(self.device)

    def features(self, x: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """What a field leads to, as a spectrogram of the contract."""
        return self.base.features(x)

    def normalised(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b mels n"]:
        """The way back."""
        return self.base.normalised(mel)

    # Models

    def field(self, tags: Sequence[str] = (), guidance: float | None = None) -> Field:
        """The base model's velocity, on normalised spectrograms, for samplers of the core.

        Cost: 1 network evaluation a call, 2 under guidance.

        Args:
            tags: Any of the spec's.
            guidance: Scale; 1 is none. By default the composer's, without tags none.

        Raises:
            InputError: If there is no such tag.
        """
        chosen = self.condition(tags)
        scale = self.scale(tags, guidance)
        cond = _under(self.base, chosen)
        if scale == 1 or not tags:
            return cond
        return Guided(cond, _under(self.base, torch.zeros_like(chosen)), scale)

    def student_field(self, tags: Sequence[str] = (), guidance: float | None = None) -> Field:
        """The student's mean velocity, likewise; 1 network evaluation a call.

        A student that was distilled at one scale has it baked in, and takes no other.

        Raises:
            InputError: If there is no student or no such tag, or its guidance is baked in.
        """
        if self.student is None:
            raise InputError("composer: it has no student: pack one beside its base model")
        if not self.student.guided:
            if guidance is not None:
                raise InputError(
                    "guidance: this composer's student was distilled at one scale: leave it out"
                )
            return _under(self.student, self.condition(tags))
        return _under(self.student, self.condition(tags), self.scale(tags, guidance))

    def surrogate(self, tags: Sequence[str] = (), guidance: float | None = None) -> Surrogate:
        """The student's one step as a function of the noise; see :meth:`student_field`."""
        field = self.student_field(tags, guidance)
        return lambda noise: self.features(sample(field, noise))

    def decode(
        self,
        noise: Float[Tensor, "b mels n"],
        steps: int = 1,
        tags: Sequence[str] = (),
        guidance: float | None = None,
    ) -> Float[Tensor, "b mels n"]:
        """Spectrograms by ``steps`` of the student; deterministic, gamma 0 in CTM's words.

        One step is the surrogate's to the bit. A student that only leaps to the data goes back
        to noise in between, always the same. Differentiable. Cost: ``steps`` evaluations.
        """
        field = self.student_field(tags, guidance)
        if steps == 1 or not isinstance(self.student and self.student.objective, TO_DATA):
            return self.features(sample(field, noise, steps=steps))
        draws = torch.Generator().manual_seed(0)
        shape = (max(0, steps - 1), 1, *noise.shape[1:])
        fixed = torch.randn(shape, generator=draws).to(noise).expand(-1, len(noise), -1, -1)
        return self.features(consistency(field, noise, steps=steps, noises=fixed))

    def vocode(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b samples"]:
        """Samples on [-1, 1] or a little beyond, a hop for each frame; differentiable if Vocos."""
        wave: Tensor = self.vocoder(mel)
        return wave

    # Conditions

    def condition(self, tags: Sequence[str]) -> Float[Tensor, "k"]:
        """The condition vector of some tags.

        Raises:
            InputError: If there is no such tag.
        """
        known = self.spec.tags
        for tag in tags:
            if tag not in known:
                has = ", ".join(known) if known else "this composer has none"
                raise InputError(f"tags: no '{tag}'{nearest(tag, known)} ({has})")
        return torch.tensor([float(tag in tags) for tag in known], device=self.device)

    def scale(self, tags: Sequence[str], guidance: float | None) -> float:
        """A guidance scale: the one asked for, or the composer's, or none where no tag is.

        Raises:
            InputError: If it is negative.
        """
        chosen = (self.guidance if tags else 1.0) if guidance is None else guidance
        if not 0 <= chosen < math.inf:
            raise InputError(f"guidance: a scale from 0 up, not {chosen}")
        return chosen

    # Files

    def save(self, folder: str | os.PathLike[str], *, card: str = "", half: bool = True) -> None:
        """Write a folder that :meth:`load` takes: averages only, at 16 bits unless ``half`` is off.

        Griffin-Lim is not kept: a folder without a vocoder has it.
        """
        folder = Path(folder)
        save_release(self.base, folder / BASE, half=half)
        if self.student is not None:
            save_release(self.student, folder / STUDENT, half=half)
        if isinstance(self.vocoder, Vocos):
            save_release(self.vocoder, folder / VOCODER, half=half)
        with replacing(folder / CARD) as path:
            path.write_text(card, encoding="utf-8")
        write_settings(folder, self.guidance)


def _under(model: MusicModel, tags: Float[Tensor, "k"], scale: float | None = None) -> Field:
    """The average's field under the same tags for every row."""

    def field(z: Tensor, r: Tensor, t: Tensor) -> Tensor:
        cond = (tags.to(z).expand(len(z), -1),) if len(tags) else ()
        guidance = torch.full_like(t, 1.0 if scale is None else scale) if model.guided else None
        u: Tensor = model.average(z, r, t, *cond, guidance=guidance)
        return u

    return field
