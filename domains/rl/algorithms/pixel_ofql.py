"""OFQL from images: a policy and critics with image encoders."""

from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.nets.config import NetworkConfig
from oneleap.domains.rl.nets.vision import PixelCritic, PixelMLP
from oneleap.domains.rl.spec import Spec


class PixelOFQL(OFQL):
    """:class:`OFQL` from flattened images, with one IMPALA encoder for the policy and one for Q.

    The encoder runs in every call of a network, so a step costs as many encodings as network
    evaluations.
    """

    @staticmethod
    def build(spec: Spec, network: NetworkConfig) -> nn.Module:
        """Build a network with an encoder.

        Raises:
            InputError: Observations are not images.
        """
        sizes = network.width, network.depth, network.time_dim
        return PixelMLP(spec.chunk_dim, _image_size(spec), *sizes)

    def build_critic(self) -> Any:
        """Build critics with an encoder.

        Raises:
            InputError: Observations are not images, or ``frequencies`` are requested.
        """
        if self.critic_config.frequencies:
            raise InputError("critic_config.frequencies: PixelOFQL has none, it observes images")
        sizes = self.spec.chunk_dim, self.network.width, self.network.depth
        config = self.critic_config
        return PixelCritic(_image_size(self.spec), *sizes, config.layer_norm, config.members)

    def normalize_obs(self, obs: Float[Tensor, "b p"]) -> Float[Tensor, "b p"]:
        """Scale pixels from [0, 255] to [-1, 1]."""
        return obs / 127.5 - 1


def _image_size(spec: Spec) -> tuple[int, int, int]:
    """Height, width and channels of an observation."""
    if spec.image is None:
        raise InputError("PixelOFQL: observations are vectors; use OFQL, or PixelData for images")
    return spec.image
