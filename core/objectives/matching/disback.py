"""DisBack (Zhang et al. 2024, arXiv 2408.15991): back along the teacher's own degradation."""

from dataclasses import dataclass

from oneleap.core.errors import InputError
from oneleap.core.objectives.matching.dmd2 import DMD2


@dataclass(frozen=True)
class DisBack(DMD2):
    """DMD2 against a sequence of teachers that leads from the generator's start to the teacher.

    Stage 1, the share ``degrade`` of the run: the fake, which starts as the teacher, learns the
    samples of the untrained generator, which rests. ``snapshots`` copies of the fake are kept at
    equal distances. Stage 2: the generator is trained against these copies in reverse order, each
    for the same share of steps, and last against the teacher. Each teacher is near to what the
    generator already does, which is where a score gap can be trusted. Without stage 1
    (``degrade: 0``) it is DMD2. Cost: DMD2's, and the memory of ``snapshots`` networks.

    Traps: stage 1 needs enough steps for the fake to follow the samples. Guidance acts on the
    copies, too, if they can be guided.

    Deviation: stages are shares of the run, where the authors train 1000 steps against each copy.

    Attributes:
        degrade: Share of the run for stage 1.
        snapshots: Number of copies.
        share: Share of the run in which each copy is the teacher.
    """

    degrade: float = 0.1
    snapshots: int = 3
    share: float = 0.1

    def __post_init__(self) -> None:
        """Reject stages that leave no time for the teacher."""
        super().__post_init__()
        if not self.degrade >= 0 or self.snapshots < 0 or self.share < 0:
            raise InputError("degrade, snapshots and share of DisBack must not be negative")
        if self.degrade + self.snapshots * self.share >= 1:
            raise InputError(
                "DisBack: degrade + snapshots * share must be below 1, to end with the teacher"
            )

    def generates(self, step: int, progress: float) -> bool:
        """See the skeleton; in stage 1 the generator rests."""
        return progress >= self.degrade and super().generates(step, progress)

    @property
    def kept(self) -> int:
        """See the skeleton."""
        return self.snapshots if self.degrade > 0 else 0

    def copies(self, progress: float) -> int:
        """See the skeleton; stage 1 makes them at equal distances."""
        if self.kept == 0:
            return 0
        return min(self.kept, int(progress / self.degrade * self.kept + 1e-9))

    def taught_by(self, progress: float) -> int | None:
        """See the skeleton; stage 2 goes back from the last copy."""
        if self.kept == 0 or progress < self.degrade or self.share == 0:
            return None
        passed = int((progress - self.degrade) / self.share + 1e-9)
        return self.kept - 1 - passed if passed < self.kept else None
