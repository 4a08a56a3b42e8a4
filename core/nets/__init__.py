"""Networks that are mean-velocity fields, called as ``net(z, r, t, *cond)``.

=====================  ==========  ==============================================  ==============
class                  data        conditions                                      hidden layers
=====================  ==========  ==============================================  ==============
:class:`MLP`           (b, d)      vectors                                         ``layers.1``
:class:`ResidualMLP`   (b, d)      vectors                                         ``blocks.0``
:class:`UNet1d`        (b, c, n)   sequence, vector, mask                          ``mid``
:class:`DiT1d`         (b, c, n)   sequence, vector, mask                          ``blocks.0``
:class:`ConvNeXt1d`    (b, c, n)   sequence, vector, mask                          ``blocks.0``
:class:`WaveNet`       (b, c, n)   sequence, vector, mask                          ``blocks.0.gate``
:class:`LYNXNet`       (b, c, n)   sequence, vector, mask                          ``blocks.0``
=====================  ==========  ==============================================  ==============

**Arguments.** ``r`` and ``t`` are (b,). Networks for vectors take any number of conditions (b, _)
with ``cond_dim`` numbers in total. Networks for sequences take these conditions, in this order:

1. the *sequence*, (b, sequence_dim, n), one condition per frame, if ``sequence_dim > 0``;
2. the *vector*, (b, cond_dim), one condition per sample, if ``cond_dim > 0``;
3. the *mask*, bool (b, 1, n), True where frames are real; it is optional.

Pass only the conditions for which the network was built: ``net(z, r, t, mel, mask)``,
``net(z, r, t, state)`` or ``net(z, r, t, score, singer, mask)``.
:class:`~oneleap.core.types.Conditioned` holds exactly these tensors. Other shapes raise a
``ValueError`` that lists the expected and the given shapes. For classifier-free guidance, the
``null`` of the mask is the mask itself. A network built with ``guided=True`` also takes
``guidance=w``, (b,), a guidance scale as input; 1 means no guidance.

**Padding.** Networks ignore ``z`` and the sequence at padded frames, which may even be NaN. The
result is 0 there. A sample's result does not depend on the amount of padding: convolutions see
zeros, attention skips padded frames, and norms over time leave them out. Samples of padding only
are allowed. Any length ``n`` works.

**Times.** Except for :class:`MLP`, a fresh network does not depend on ``r``, and neither does a
network trained at ``r = t`` only. If its weights are loaded into a student, the student starts
equal to its teacher (:class:`~oneleap.core.nets.embed.Context`).
:func:`~oneleap.core.nets.embed.zero_interval_embedding` has this effect for any weights of any of
these networks. Fresh DiT, ConvNeXt, WaveNet and LYNXNet are 0 everywhere.

**Residual.** :class:`Residual` turns any network into the field ``z + net(z, r, t)``. One step of
this field cancels the noise exactly.

**Precision.** The result has the dtype of ``z``; conditions are converted to it. Under autocast,
times are embedded in full precision (except by :class:`MLP`), and
:func:`oneleap.core.fields.jvp.jvp` disables autocast.

**Derivatives.** Every network has a forward derivative, gradients through it, and compiles to one
graph. Attention uses torch's fast kernels, except inside :func:`oneleap.core.fields.jvp.jvp`.

**Hidden layers.** A hidden layer is named by its module, for example
``net.get_submodule("blocks.3")``. Its output is one tensor, zero at padding. Each class lists its
layers. A forward hook reads them:

>>> import torch
>>> net, outputs = ResidualMLP(2, width=8), []
>>> handle = net.get_submodule("blocks.0").register_forward_hook(lambda m, x, y: outputs.append(y))
>>> u = net(torch.randn(4, 2), torch.zeros(4), torch.ones(4))
>>> outputs[0].shape
torch.Size([4, 8])

Hooks also work under ``functional_call``, within a JVP and in compiled code, gradients included. In
these cases, register them before the first compiled call. Use the recorded tensors and clear the
list within the compiled function, because a tensor recorded within a JVP cannot leave it. A deep
copy of a network, such as its moving average, has the same hooks.
"""

from oneleap.core.nets.convnext1d import ConvNeXt1d as ConvNeXt1d
from oneleap.core.nets.dit1d import DiT1d as DiT1d
from oneleap.core.nets.lynxnet import LYNXNet as LYNXNet
from oneleap.core.nets.mlp import MLP as MLP
from oneleap.core.nets.mlp import ResidualMLP as ResidualMLP
from oneleap.core.nets.residual import Residual as Residual
from oneleap.core.nets.unet1d import UNet1d as UNet1d
from oneleap.core.nets.wavenet import WaveNet as WaveNet
