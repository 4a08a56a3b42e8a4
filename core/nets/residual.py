"""A network as what its mean velocity adds to the state: one step then leaves the noise out."""

from jaxtyping import Float
from torch import Tensor, nn


class Residual(nn.Module):
    """``u(z, r, t) = z + net(z, r, t)``, for any network.

    One step, ``e - u(e, 0, 1)``, is ``-net(e, 0, 1)``: data come straight out of the network,
    where without it the noise must pass through all layers unharmed to cancel. MeanFlowQL's
    residual form (Wang et al. 2025, arXiv 2511.13035, ``g = z - u``) with the other sign.

    Hidden layers: the network's, as ``net.NAME``.

    Args:
        net: Called as ``net(z, r, t, *cond)``.
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
        """Mean velocity of ``z`` over ``[r, t]``."""
        u: Tensor = z + self.net(z, r, t, *cond)
        return u
