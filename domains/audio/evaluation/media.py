"""Sounds and spectrograms as parts of a page."""

import numpy as np
import torch
from matplotlib.figure import Figure

from oneleap.core.report import Media, png
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.wave import Wave, wav_bytes


def player(caption: str, wave: Wave) -> Media:
    """Return the player of a sound.

    Args:
        caption: What it is.
        wave: The sound.
    """
    return Media(caption, wav_bytes(wave), "audio/wav")


def picture(wave: Wave, mel: Mel, caption: str = "Spectrogram") -> Media:
    """Draw the spectrogram of a sound.

    Args:
        wave: The sound.
        mel: Format of the spectrogram.
        caption: What it shows.
    """
    samples = torch.from_numpy(np.ascontiguousarray(wave.samples))[None]
    image = log_mel(samples, mel)[0].numpy()
    figure = Figure(figsize=(9, 2.4), layout="constrained")
    axes = figure.add_subplot()
    extent = (0.0, wave.seconds, 0.0, float(len(image)))
    axes.imshow(image, origin="lower", aspect="auto", extent=extent, cmap="magma")
    axes.set(xlabel="seconds", ylabel="mel band")
    return Media(caption, png(figure))
