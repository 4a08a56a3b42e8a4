"""Plots of spectrograms."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from torch import Tensor

from oneleap.core.files import atomic_write
from oneleap.domains.audio.mel import Mel


def plot_spectrograms(
    spectrograms: Mapping[str, Float[Tensor, "mels _"]], mel: Mel, path: Path
) -> None:
    """Plot normalized spectrograms below each other with one color scale.

    Args:
        spectrograms: Spectrograms by title, from top to bottom.
        mel: Their format.
        path: Path of the PNG file.
    """
    longest = max(x.shape[1] for x in spectrograms.values()) / mel.frame_rate
    low = min(float(np.quantile(x.cpu().numpy(), 0.02)) for x in spectrograms.values())
    high = max(float(x.max()) for x in spectrograms.values())
    figure = Figure(figsize=(8, 1.6 * len(spectrograms) + 0.4), layout="constrained")
    panels = figure.subplots(len(spectrograms), 1, squeeze=False, sharex=True)[:, 0]
    for panel, (title, x) in zip(panels, spectrograms.items(), strict=True):
        box = (0, x.shape[1] / mel.frame_rate, 0, mel.n_mels)
        panel.imshow(
            x.cpu().numpy(), origin="lower", aspect="auto", extent=box, vmin=low, vmax=high
        )
        panel.set_title(title, fontsize=9, loc="left")
        panel.set(xlim=(0, longest), ylabel="band")
    panels[-1].set_xlabel("seconds")
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=110, format="png")
