"""Networks that are mean-velocity fields, ``net(z, r, t, *cond)``.

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

**Calling.** ``r`` and ``t`` are (b,). Networks over vectors take any number of conditions (b, _),
``cond_dim`` numbers in all. Networks over sequences take, in this order,

1. the *sequence*, (b, sequence_dim, n), one condition per frame: only if ``sequence_dim > 0``;
2. the *vector*, (b, cond_dim), one condition per sample: only if ``cond_dim > 0``;
3. the *mask*, bool (b, 1, n), True where frames are real: may be left out.

A condition that a network was not built for is not passed at all, so that a call reads
``net(z, r, t, mel, mask)``, ``net(z, r, t, state)`` or ``net(z, r, t, score, singer, mask)``, and
:class:`~oneleap.core.types.Conditioned` holds exactly those tensors. Anything else raises a
``ValueError`` that lists the shapes wanted and got. Under classifier-free guidance the mask's
``null`` is the mask itself. A network built with ``guided=True`` also takes
``guidance=w``, (b,), a guidance scale as an input; 1 means none.

**Padding.** What stands at padded frames of ``z`` and of the sequence is never looked at (it may be
NaN), the result is 0 there, and a sample's result does not depend on how far it was padded:
convolutions see zeros, attention skips the frames, norms over time leave them out. So it is for a
sample of nothing but padding. No ``n`` needs to be a multiple of anything.

**Times.** Except for :class:`MLP`, a fresh network does not depend on ``r``, nor does one trained
at ``r = t`` only: loaded into a student, it starts as its own teacher
(:class:`~oneleap.core.nets.embed.Context`). :func:`~oneleap.core.nets.embed.zero_interval_embedding` makes
it so for any weights and any of these networks. Fresh DiT, ConvNeXt, WaveNet and LYNXNet are 0
everywhere.

**Residual.** :class:`Residual` makes of any of them a field ``z + net(z, r, t)``, whose one step
leaves the noise out.

**Precision.** The result has the dtype of ``z``; conditions are converted to it. Under autocast,
times are embedded in full precision (except by :class:`MLP`), and
:func:`oneleap.core.fields.jvp.jvp` leaves autocast altogether.

**Derivatives.** Every network has a forward derivative, gradients through it, and compiles to one
graph. Attention uses torch's fast kernels, except inside :func:`oneleap.core.fields.jvp.jvp`.

**Hidden layers.** A hidden layer is named by its module, ``net.get_submodule("blocks.3")``, whose
output is one tensor, zero at padding; each class lists its own. Read it by a forward hook:

>>> import torch
>>> net, seen = ResidualMLP(2, width=8), []
>>> handle = net.get_submodule("blocks.0").register_forward_hook(lambda m, x, y: seen.append(y))
>>> u = net(torch.randn(4, 2), torch.zeros(4), torch.ones(4))
>>> seen[0].shape
torch.Size([4, 8])

Hooks also work under ``functional_call``, within a JVP and in compiled code, gradients included.
There, register them before the first compiled call, and use up what they gathered, clearing the
list, within the compiled function: a tensor that was gathered within a JVP cannot leave it. A deep
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
