"""A pass over compiled graphs that removes matrix products with zeros."""

import torch
from torch import fx
from torch._inductor.custom_graph_pass import CustomGraphPass, get_hash_for_files

aten = torch.ops.aten
PRODUCTS = (aten.mm.default, aten.bmm.default, aten.convolution.default)
VIEWS = (
    aten.expand.default,
    aten.permute.default,
    aten.t.default,
    aten.transpose.int,
    aten.unsqueeze.default,
    aten.view.default,
)
"""Operations that change the shape of a tensor, but not its values."""


class DropZeroProducts(CustomGraphPass):
    """Removes products with zeros from a graph.

    A weight is constant under a JVP over data and times. The traced rule for a product nevertheless
    multiplies by the weight's tangent, which is zero. These are a fifth of all products of
    MeanFlow.
    """

    def __call__(self, graph: fx.Graph) -> None:
        """Replace each product with zeros by zeros; they fold into later additions."""
        for node in list(graph.nodes):
            if node.target not in PRODUCTS or not any(_is_zeros(n) for n in node.args[:2]):
                continue
            if node.target is aten.convolution.default and node.args[2] is not None:
                continue  # the result is the bias
            result = node.meta["val"]
            with graph.inserting_before(node):
                options = {"dtype": result.dtype, "device": result.device}
                zeros = graph.call_function(aten.full.default, (list(result.shape), 0), options)
            zeros.meta = dict(node.meta)
            node.replace_all_uses_with(zeros)
            graph.erase_node(node)

    def uuid(self) -> bytes:
        """Return the key of this pass in the cache of compiled graphs."""
        key: bytes = get_hash_for_files((__file__,))
        return key


def _is_zeros(node: object) -> bool:
    """Return whether a node is a constant 0 of some shape."""
    while isinstance(node, fx.Node) and node.target in VIEWS:
        node = node.args[0]
    if not isinstance(node, fx.Node):
        return False
    if node.target is aten.full.default:
        return bool(node.args[1] == 0)
    return node.target in (aten.zeros.default, aten.zeros_like.default)
