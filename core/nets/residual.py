"""A residual field: the network predicts the difference between mean velocity and state."""

from jaxtyping import Float
from torch import Tensor, nn


class Residual(nn.Module):
    """``u(z, r, t) = z + net(z, r, t)``, for any network.

    One step, ``e - u(e, 0, 1)``, is ``-net(e, 0, 1)``, so the network outputs the data directly.
    Without the residual form, the noise must pass through all layers unchanged in order to cancel.
    This is the residual form of MeanFlowQL (Wang et al. 2025, arXiv 2511.13035, ``g = z - u``) with
    opposite sign.

    Hidden layers: those of the network, as ``net.NAME``.

    Args:
        net: Network, called as ``net(z, r, t, *cond)``.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(
        self,
        z: Float[Tensor, "b *d"],
        r: Float[Tensor, "b"],
        t: Float[Tensor, "b"],
        *cond: Tensor,
    ) -> Float[Tensor, "b *d"]:
        """Mean velocity of ``z`` over ``[r, t]``.

        Args:
            z: States ``z_t``, (b, *d).
            r: Target times, (b,).
            t: Current times, (b,).
            *cond: Conditions of the network.

        Returns:
            Mean velocities, (b, *d).
        """
        u: Tensor = z + self.net(z, r, t, *cond)
        return u
