"""The model card: a description of a model, its training, its hardware and its results."""

import os
import platform
from collections.abc import Mapping

import torch
from torch import nn

from oneleap.core.hub.config import class_path
from oneleap.core.hub.pretrained import Pretrained


def hardware(device: torch.device) -> str:
    """Describe the machine in a few words."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads of {os.cpu_count()} cores"


def model_card(
    module: Pretrained,
    *,
    facts: Mapping[str, object],
    figures: Mapping[str, float],
    config: str,
) -> str:
    """Write the Markdown of a model folder's ``README.md``.

    Args:
        module: Model.
        facts: Facts of the run, in order: steps, hours, seed.
        figures: Last logged values by name.
        config: Resolved configuration of the run, YAML.

    Returns:
        Text of the card.
    """
    cls = type(module)
    assert isinstance(module, nn.Module)
    package = class_path(cls).rpartition(".")[0]
    properties = {
        "Class": f"`{class_path(cls)}`",
        "Parameters": f"{sum(p.numel() for p in module.parameters()):,}",
        **facts,
        "Software": f"Python {platform.python_version()}, PyTorch {torch.__version__}",
    }
    summary = (cls.__doc__ or cls.__name__).strip().partition("\n")[0]
    return f"""---
library_name: oneleap
---
# {cls.__name__}

{summary}

```python
from {package} import {cls.__name__}

model = {cls.__name__}.from_pretrained(path)
```

{_table(properties)}

## Last logged values

{_table({name: f"{value:.4g}" for name, value in figures.items()})}

## Configuration

```yaml
{config.strip() or "not recorded"}
```
"""


def _table(rows: Mapping[str, object]) -> str:
    return "\n".join(["| | |", "|---|---|", *(f"| {k} | {v} |" for k, v in rows.items())])
