"""A pass over compiled graphs that removes matrix products with zeros."""

import torch
from torch import fx
from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

aten = torch.ops.aten
PRODUCTS = (aten.mm.default, aten.bmm.default, aten.convolution.default)
SAME_NUMBERS = (
    aten.expand.default,
    aten.permute.default,
    aten.t.default,
    aten.transpose.int,
    aten.unsqueeze.default,
    aten.view.default,
)


class DropZeroProducts(CustomGraphPass):
    """Take products with zeros out of a graph.

    A weight is constant under a JVP over data and times, yet the traced rule for a product
    multiplies by the weight's tangent too, as zeros: a fifth of all products of MeanFlow.
    """

    def __call__(self, graph: fx.Graph) -> None:
        """Replace each by zeros, which fold into what they are added to."""
        for node in list(graph.nodes):
            if node.target not in PRODUCTS or not any(_is_zeros(n) for n in node.args[:2]):
                continue
            if node.target is aten.convolution.default and node.args[2] is not None:
                continue  # what is left is the bias
            made = node.meta["val"]
            with graph.inserting_before(node):
                options = {"dtype": made.dtype, "device": made.device}
                zeros = graph.call_function(aten.full.default, (list(made.shape), 0), options)
            zeros.meta = dict(node.meta)
            node.replace_all_uses_with(zeros)
            graph.erase_node(node)

    def uuid(self) -> bytes:
        """What the cache of compiled graphs knows this pass by."""
        key: bytes = get_hash_for_files((__file__,))
        return key


def _is_zeros(node: object) -> bool:
    """Whether a node is a constant 0 in some shape."""
    while isinstance(node, fx.Node) and node.target in SAME_NUMBERS:
        node = node.args[0]
    if not isinstance(node, fx.Node):
        return False
    if node.target is aten.full.default:
        return bool(node.args[1] == 0)
    return node.target in (aten.zeros.default, aten.zeros_like.default)
