"""Releases of models: the moving average alone, with weights of few bits."""

import json
import os
from pathlib import Path

from safetensors.torch import save_file
from torch import nn

from oneleap.core.files import atomic_write
from oneleap.core.hub.config import to_config
from oneleap.core.hub.pretrained import CONFIG, SLIM, WEIGHTS, Pretrained, load_pretrained
from oneleap.core.hub.quantization import Bits, narrow_weights
from oneleap.core.training.finite import require_finite_weights
from oneleap.core.training.model import GenerativeModel


def save_release(model: Pretrained, folder: str | os.PathLike[str], *, bits: Bits = 16) -> None:
    """Write a model without the parts that only training needs.

    Of a generative model, the moving average is saved without the trained network, and the teacher
    is removed from the recipe.

    Args:
        model: Model to save.
        folder: Folder to write to.
        bits: Bits of a weight. With 8, matrices are rounded, see
            :func:`oneleap.core.hub.quantization.quantize_rows`, and all else has 16 bits.

    Raises:
        InputError: If a weight is NaN or infinite, or too large for 16 bits.
    """
    assert isinstance(model, nn.Module)
    folder = Path(folder)
    require_finite_weights(model, str(folder))
    config = to_config(model) | {SLIM: True}
    if isinstance(model, GenerativeModel):
        recipe = config["init_args"]["recipe"]["init_args"]
        recipe |= {"teacher": None, "from_teacher": False, "init_from": None, "rank": None}
    weights = {
        name: weight
        for name, weight in model.state_dict().items()
        if not (isinstance(model, GenerativeModel) and name.startswith("net."))
    }
    narrow = narrow_weights(weights, bits, {name for name, _ in model.named_parameters()})
    (folder / CONFIG).unlink(missing_ok=True)
    with atomic_write(folder / WEIGHTS) as path:
        save_file(narrow, path, metadata={"format": "pt"})
    with atomic_write(folder / CONFIG) as path:
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_release(folder: Path) -> Pretrained:
    """Load a released or complete model on the CPU, with 32-bit weights and without gradients.

    Raises:
        InputError: If it is missing or damaged, or its weights do not fit.
    """
    model = load_pretrained(folder)
    assert isinstance(model, nn.Module)
    model.requires_grad_(False)
    return model
