"""Models as they are shipped: the average alone, at 16 bits."""

import json
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from oneleap.core.config import from_config, to_config
from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.hub import CONFIG, WEIGHTS, Pretrained, load_pretrained, read_config
from oneleap.core.lit import GenerativeModule

SLIM = "slim"
"""Key of ``config.json`` that says that the trained network is left out, for its average."""


def save_slim(model: Pretrained, folder: str | os.PathLike[str], *, half: bool = True) -> None:
    """Write a model without what only training needs.

    A generative module's network is left out beside its average, and its teacher is forgotten.
    """
    assert isinstance(model, nn.Module)
    folder = Path(folder)
    config = to_config(model) | {SLIM: True}
    if isinstance(model, GenerativeModule):
        config["init_args"] |= {"teacher": None, "from_teacher": False}
    weights = {
        name: (weight.half() if half and weight.is_floating_point() else weight).contiguous()
        for name, weight in model.state_dict().items()
        if not (isinstance(model, GenerativeModule) and name.startswith("net."))
    }
    (folder / CONFIG).unlink(missing_ok=True)
    with replacing(folder / WEIGHTS) as path:
        save_file(weights, path, metadata={"format": "pt"})
    with replacing(folder / CONFIG) as path:
        path.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_slim(folder: Path) -> Pretrained:
    """Load a model that was saved slim, or whole; on the CPU, at 32 bits, for use.

    Raises:
        InputError: If it is missing, damaged, or its weights do not fit.
    """
    config = read_config(folder)
    if not config.pop(SLIM, False):
        model = load_pretrained(folder)
        assert isinstance(model, nn.Module)
        model.requires_grad_(False)
        return model
    file = folder / WEIGHTS
    model = from_config(config, where=str(folder / CONFIG))
    if not (isinstance(model, Pretrained) and isinstance(model, nn.Module)):
        raise InputError(f"{folder / CONFIG}: {type(model).__name__} is not a model")
    try:
        weights = load_file(file)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{file} is missing or damaged ({error}): save the model again") from None
    if isinstance(model, GenerativeModule):
        averages = [name for name in weights if name.startswith("average.")]
        weights |= {f"net.{name.removeprefix('average.')}": weights[name] for name in averages}
    try:
        model.load_state_dict({name: weight.to(torch.float32) for name, weight in weights.items()})
    except RuntimeError as error:
        reason = str(error).splitlines()[-1].strip()
        raise InputError(f"{file} does not fit {CONFIG}: {reason}") from None
    return model.eval().requires_grad_(False)
