"""Weights of 8 bits: matrices as whole numbers, with one scale for each row."""

from collections.abc import Collection, Mapping
from typing import Literal, get_args

import torch
from jaxtyping import Float, Float16, Int8
from torch import Tensor

from oneleap.core.errors import InputError

Bits = Literal[8, 16, 32]
"""Bits of a weight in a released model."""

SCALE = ".scale"
"""What follows the name of a matrix in the name of its scales."""

LEVELS = 127
"""Largest whole number."""

SMALLEST = 2.0**-14
"""Smallest scale: the smallest number that 16 bits hold at full precision."""

ROW = 32
"""Number of weights of the shortest row that is quantized; scales would cost much in others."""


def quantize_rows(
    weight: Float[Tensor, "rows *rest"],
) -> tuple[Int8[Tensor, "rows *rest"], Float16[Tensor, "rows"]]:
    """Round the weights of each row to whole multiples of its scale divided by 127.

    The scale ``s`` is the largest magnitude of the row, rounded up to 16 bits, and at least
    :data:`SMALLEST`. No weight changes by more than ``s / 254``. The result of
    :func:`dequantize_rows` is quantized to the same numbers again.

    Args:
        weight: Weights of a layer; each row gives one output.

    Returns:
        Whole numbers from -127 to 127, and the scales.
    """
    rows = weight.detach().float().flatten(1)
    largest = rows.abs().amax(1).clamp(min=SMALLEST)
    scale = largest.half()
    up = (scale.view(torch.int16) + 1).view(torch.float16)  # the next larger number
    scale = torch.where(scale.float() < largest, up, scale)
    whole = (rows * (LEVELS / scale.float().unsqueeze(1))).round().to(torch.int8)
    return whole.view(weight.shape), scale


def dequantize_rows(
    whole: Int8[Tensor, "rows *rest"], scale: Float16[Tensor, "rows"]
) -> Float[Tensor, "rows *rest"]:
    """Return the weights that :func:`quantize_rows` rounded to, at 32 bits."""
    rows = whole.float().flatten(1) * scale.float().unsqueeze(1) / LEVELS
    return rows.view(whole.shape)


def narrow_weights(
    weights: Mapping[str, Tensor], bits: Bits, parameters: Collection[str]
) -> dict[str, Tensor]:
    """Convert weights to fewer bits for a file.

    With 8 bits, matrices and kernels whose rows have at least :data:`ROW` weights become whole
    numbers and scales. All other weights, and those of buffers, get 16 bits.

    Args:
        weights: Weights by name.
        bits: Bits of a weight.
        parameters: Names of the weights that are parameters of layers.

    Returns:
        The tensors of the file by name.

    Raises:
        InputError: If a weight is too large for 16 bits, or there is no such number of bits.
    """
    if bits not in get_args(Bits):
        raise InputError(f"bits: must be one of {get_args(Bits)}, not {bits}")
    narrow = dict[str, Tensor]()
    for name, weight in weights.items():
        if bits == 32 or not weight.is_floating_point():
            narrow[name] = weight.contiguous()
        elif weight.numel() and not weight.abs().max() <= torch.finfo(torch.float16).max:
            raise InputError(f"{name}: a weight is too large for {bits} bits: save it at 32 bits")
        elif bits == 8 and name in parameters and weight.dim() > 1 and weight[0].numel() >= ROW:
            narrow[name], narrow[name + SCALE] = quantize_rows(weight)
        else:
            narrow[name] = weight.half().contiguous()
    return narrow


def widen_weights(weights: Mapping[str, Tensor], where: str) -> dict[str, Tensor]:
    """Convert the tensors of a file to weights of 32 bits.

    Args:
        weights: Tensors by name, see :func:`narrow_weights`.
        where: Path of the file, for messages.

    Returns:
        The weights by name.

    Raises:
        InputError: If a matrix of 8 bits has no scales, or wrong ones.
    """
    wide = dict[str, Tensor]()
    for name, weight in weights.items():
        matrix = weights.get(name.removesuffix(SCALE)) if name.endswith(SCALE) else None
        if matrix is not None and matrix.dtype == torch.int8:
            continue
        if weight.dtype == torch.int8:
            weight = dequantize_rows(weight, _scales(weights, name, where))
        wide[name] = weight.to(torch.float32)
    return wide


def _scales(weights: Mapping[str, Tensor], name: str, where: str) -> Float16[Tensor, "rows"]:
    """Find and check the scales of a matrix."""
    scale, matrix = weights.get(name + SCALE), weights[name]
    if scale is None:
        raise InputError(f"{where}: {name} has 8 bits, but no scales: save the model again")
    wanted = list(matrix.shape[:1])
    if matrix.dim() < 2 or scale.dtype != torch.float16 or list(scale.shape) != wanted:
        raise InputError(
            f"{where}: {name}{SCALE} is {scale.dtype} of shape {list(scale.shape)}, not "
            f"{torch.float16} of shape {wanted}: save the model again"
        )
    if not (scale.isfinite().all() and (scale > 0).all()):
        raise InputError(f"{where}: {name}{SCALE} is not positive and finite: save the model again")
    return scale
