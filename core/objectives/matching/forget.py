"""Score Forgetting Distillation (Chen et al. 2024, arXiv 2409.11219): a generator unlearns."""

from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.fields.guidance import require_droppable
from oneleap.core.objectives.matching.base import has_entry, teacher_of
from oneleap.core.objectives.matching.sid import ScoreIdentity
from oneleap.core.types import Draw, Loss, TrainingBatch


@dataclass(frozen=True)
class ScoreForgetting(ScoreIdentity):
    """SiD where a forbidden condition is taught by the teacher under another one.

    Rows with the forbidden condition show the generator and the fake that condition, and the
    teacher none: under what is to be forgotten, the generator learns to make what the unconditional
    teacher makes. All other rows are SiD, which keeps what it knows, with the same weight. Without
    a forbidden condition it is SiD. Cost: ScoreIdentity's.

    Traps: the condition must be droppable, and the forbidden one must occur in the data. It is
    unlearned by the distilled generator alone; the teacher still knows it.

    Deviation: the override is the null condition, where the authors name another one.

    Attributes:
        forbidden: Entry of the first condition vector, from 0, that marks what is to be forgotten,
            such as a tag of :class:`oneleap.domains.music.MusicModel`. ``None`` forgets nothing.
    """

    forbidden: int | None = None

    def __post_init__(self) -> None:
        """Reject a guided teacher, whose conditions are no longer visible."""
        super().__post_init__()
        if self.forbidden is not None and self.guidance is not None:
            raise InputError("ScoreForgetting: forbidden needs an unguided teacher: guidance: null")

    def push(self, batch: TrainingBatch, x: Float[Tensor, "b *d"], draw: Draw) -> Loss:
        """SiD's loss, with the condition of forbidden rows hidden from the teacher."""
        if self.forbidden is None:
            return super().push(batch, x, draw)
        teacher = require_droppable(teacher_of(batch))
        hidden = teacher.drop(has_entry(teacher, self.forbidden, "forbidden", x))
        return super().push(replace(batch, teacher=hidden), x, draw)
