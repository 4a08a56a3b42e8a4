"""Networks that are trained beside a generator: its fake, and a judge."""

import copy
from collections.abc import Callable, Mapping

from torch import Tensor, nn

from oneleap.core.types import Field, SecondNetworks


class SecondModules(nn.Module):
    """Trainable copies of a domain's whole network, and frozen views of them.

    They are copies of the whole network, because a domain binds its conditions to networks of its
    own class. A frozen view shares the memory of the weights, without gradient.

    Args:
        net: The generator's network.
        judged: Whether there is a judge.
        view: Function that makes a frozen view.
    """

    def __init__(
        self, net: nn.Module, *, judged: bool, view: Callable[[nn.Module], nn.Module]
    ) -> None:
        super().__init__()
        self.fake = copy.deepcopy(net)
        self.judge = copy.deepcopy(net) if judged else None
        self._view = view
        self._frozen: list[nn.Module] = []  # in a list, they are not part of the weights

    def start(self, weights: Mapping[str, Tensor]) -> None:
        """Start from the weights of a teacher.

        Raises:
            RuntimeError: If they do not fit.
        """
        for net in self.children():
            net.load_state_dict(weights)

    def settle(self) -> None:
        """Make the frozen views; call it once the weights are on their device."""
        self._frozen = [self._view(net) for net in self.children()]

    def fields(self, bind: Callable[[nn.Module], Field]) -> SecondNetworks:
        """Return the fields under a batch's conditions.

        Args:
            bind: Function that binds a network to the conditions.
        """
        fields = [bind(net) for net in self.children()]
        frozen = [bind(net) for net in self._frozen]
        judged = self.judge is not None
        return SecondNetworks(
            fake=fields[0],
            frozen_fake=frozen[0],
            judge=fields[1] if judged else None,
            frozen_judge=frozen[1] if judged else None,
        )
