"""Networks ``net(z, r, t, *cond)`` for mean-velocity fields."""

from oneleap.core.nets.mlp import MLP as MLP
