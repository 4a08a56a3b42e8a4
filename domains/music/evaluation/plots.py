"""A plot of a clip: its spectrogram, target and result of each control, and the losses."""

import os
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.audio.mel import Mel
from oneleap.domains.music.controls.base import Control
from oneleap.domains.music.features.chroma import PITCH_CLASSES
from oneleap.domains.music.features.spectral import decibels


@torch.no_grad()
def plot_controls(
    path: str | os.PathLike[str],
    mel: Float[Tensor, "1 mels n"],
    spec: Mel,
    controls: Sequence[Control],
    history: Mapping[str, Float[Tensor, "k b"]],
) -> None:
    """Write a PNG file with the spectrogram, the controls and the losses.

    Args:
        path: File, which appears complete or not at all.
        mel: Spectrogram of the clip.
        spec: Mel format.
        controls: Controls of the clip.
        history: Losses of each step by name; those of the first row are plotted.

    Raises:
        InputError: If the file cannot be written.
    """
    seconds = mel.shape[2] / spec.frame_rate
    rows = 2 + len(controls)
    figure = Figure(figsize=(9, 2.2 * rows), layout="constrained")
    axes = [figure.add_subplot(rows, 1, k + 1) for k in range(rows)]
    axes[0].imshow(
        decibels(mel, spec)[0].cpu().numpy(),
        origin="lower",
        aspect="auto",
        extent=(0, seconds, 0, spec.n_mels),
        cmap="magma",
    )
    axes[0].set(title="mel spectrogram", ylabel="band", xlabel="s")
    for axis, control in zip(axes[1:], controls, strict=False):
        _plot_control(axis, figure, control, mel, seconds)
    for name, losses in history.items():
        curve = losses[:, 0].cpu().numpy()
        axes[-1].plot(curve / max(float(curve[0]), 1e-12), label=name)
    axes[-1].set(title="losses relative to the first step", xlabel="step", yscale="log")
    if history:
        axes[-1].legend()
    try:
        with atomic_write(path) as temporary:
            figure.savefig(temporary, dpi=90, format="png")
    except OSError as error:
        raise InputError(f"{path} cannot be written ({error.strerror})") from None


def _plot_control(
    axis: Axes, figure: Figure, control: Control, mel: Tensor, seconds: float
) -> None:
    """Plot target and result of a control."""
    data = control.plot_data(mel)
    target, result = (x.detach().cpu().numpy().astype(float) for x in data[:2])
    unit = control.unit.replace("^2", "²")
    axis.set_title(f"{control.name}: {float(control.metric(mel)[0]):.3g} {unit}")
    if target.ndim == 2:
        gap = np.full((len(target), 1), np.nan)
        both = np.concatenate([target, gap, result], axis=1)
        figure.colorbar(axis.imshow(both, vmin=-1, vmax=1, cmap="coolwarm"), ax=axis)
        axis.set(xlabel="target, result", xticks=[], yticks=[])
        return
    n = mel.shape[2]
    time = np.arange(len(target)) * (seconds / n if len(target) == n else 1.0)
    style = "." if control.name == "melody" else "-"
    axis.plot(time, target, style, label="target", linewidth=3, alpha=0.5)
    axis.plot(time, result, style, label="result", markersize=3)
    axis.set(ylabel=data.unit, xlabel="s" if len(target) == n else "number")
    if len(target) == n:
        axis.set_xlim(0, seconds)
    if control.name == "melody":
        axis.set(yticks=range(12), yticklabels=PITCH_CLASSES, ylim=(-0.5, 11.5))
    axis.legend()
