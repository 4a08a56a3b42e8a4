"""Networks that are trained beside a generator: its fake, and a judge."""

import copy
from collections.abc import Callable

from torch import nn

from oneleap.core.nets.beside.judges import JudgePool
from oneleap.core.nets.low_rank import adapt
from oneleap.core.types import Field, SecondNetworks


class SecondModules(nn.Module):
    """Trainable copies of a domain's whole network, and frozen views of them.

    They are copies of the whole network, because a domain binds its conditions to networks of its
    own class. A frozen view shares the memory of the weights, without gradient.

    Args:
        net: The generator's network.
        judged: Whether there is a judge.
        rank: Rank of the adapters that the fake trains instead of its weights; ``None`` trains all.
        pool: Judges that read the fake's features. The fake is then frozen and stays the teacher.
        kept: Number of copies of the fake that are kept as teachers, see :meth:`keep`.
        view: Function that makes a frozen view.
    """

    teaching: int | None = None
    """The copy of the fake that takes the place of the teacher; ``None`` for none."""

    def __init__(
        self,
        net: nn.Module,
        *,
        judged: bool,
        rank: int | None = None,
        pool: JudgePool | None = None,
        kept: int = 0,
        view: Callable[[nn.Module], nn.Module],
    ) -> None:
        super().__init__()
        self.fake = copy.deepcopy(net)
        self.judge = copy.deepcopy(net) if judged else None
        self.pool = pool
        if rank is not None:
            adapt(self.fake, rank)
        if pool is not None:
            self.fake.requires_grad_(False)
        copies = (copy.deepcopy(self.fake).requires_grad_(False) for _ in range(kept))
        self.past = nn.ModuleList(copies)
        self._view = view
        self._frozen: list[nn.Module] = []  # in a list, they are not part of the weights
        self._frozen_pool: list[nn.Module] = []

    @property
    def nets(self) -> list[nn.Module]:
        """The copies of the domain's network, which start as the teacher."""
        return [self.fake, *([] if self.judge is None else [self.judge])]

    @property
    def trained(self) -> list[nn.Module]:
        """All modules with weights, each a group of the optimizer."""
        return [*self.nets, *([] if self.pool is None else [self.pool])]

    def keep(self, index: int) -> None:
        """Copy the fake's present weights into one of the copies."""
        self.past[index].load_state_dict(self.fake.state_dict())

    def teacher(self, bind: Callable[[nn.Module], Field]) -> Field | None:
        """Return the field of the copy that teaches, if one does."""
        return None if self.teaching is None else bind(self.past[self.teaching])

    def settle(self) -> None:
        """Make the frozen views; call it once the weights are on their device."""
        self._frozen = [self._view(net) for net in self.nets]
        self._frozen_pool = [] if self.pool is None else [self._view(self.pool)]

    def fields(self, bind: Callable[[nn.Module], Field]) -> SecondNetworks:
        """Return the fields under a batch's conditions.

        Args:
            bind: Function that binds a network to the conditions.
        """
        fields = [bind(net) for net in self.nets]
        frozen = [bind(net) for net in self._frozen]
        judged = self.judge is not None
        return SecondNetworks(
            fake=fields[0],
            frozen_fake=frozen[0],
            judge=fields[1] if judged else None,
            frozen_judge=frozen[1] if judged else None,
            heads=self.pool,
            frozen_heads=next(iter(self._frozen_pool), None),
        )
