"""The control of a text prompt by CLAP (Wu et al. 2023, arXiv 2211.06687).

DITTO-2 controls an unconditional model by text in this way (Sec. 4). CLAP is not part of oneleap.
It is loaded with the library ``transformers``, by its name on the hub or from a folder, and from
safetensors only.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel, filterbank
from oneleap.domains.audio.stft import stft
from oneleap.domains.music.controls.base import Control, PlotData
from oneleap.domains.music.controls.tagging import Vocode

CLAP_MEL = Mel(
    sample_rate=48_000,
    n_fft=1024,
    hop=480,
    window=1024,
    n_mels=64,
    fmin=50.0,
    fmax=14_000.0,
    center=True,
)
"""Spectrogram of CLAP models without fusion; its values are powers in dB."""

CLIP_SAMPLES = 480_000
"""Length of CLAP's input in samples: ten seconds. Shorter sounds are repeated."""

Embed = Callable[[Tensor], Tensor]
"""Spectrograms (b, 1, frames, 64) to embeddings (b, d)."""


@dataclass(frozen=True, eq=False)
class Clap(Control):
    """A text that describes the music: ``L = 1 - cos(audio, text)`` of CLAP's embeddings.

    Attributes:
        embed: CLAP's audio encoder.
        text: Embedding of the text, (d,).
        vocode: Vocoder.
        sample_rate: Sample rate of the vocoder in Hz.
        threshold: Cosine at which the target counts as reached.
    """

    name: ClassVar[str] = "clap"
    unit: ClassVar[str] = "cosine"
    higher_is_better: ClassVar[bool] = True
    typical_loss: ClassVar[float] = 0.5

    embed: Embed
    text: Float[Tensor, "d"]
    vocode: Vocode
    sample_rate: int
    threshold: float = 0.5

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return ``1 - cos``."""
        audio = self.embed(clap_input(self.vocode(mel), self.sample_rate))
        return 1 - cosine_similarity(audio, self.text.to(audio)[None])

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """Return the cosine."""
        return 1 - self.loss(mel)

    def plot_data(self, mel: Float[Tensor, "1 mels n"]) -> PlotData:
        """Return the threshold and the cosine."""
        return PlotData(mel.new_tensor([self.threshold]), self.metric(mel), "cosine")


def clap_input(wave: Float[Tensor, "b n"], sample_rate: int) -> Float[Tensor, "b 1 frames 64"]:
    """Compute CLAP's spectrogram of sounds, which are repeated to ten seconds; differentiable."""
    if sample_rate != CLAP_MEL.sample_rate:
        import torchaudio

        wave = torchaudio.functional.resample(wave, sample_rate, CLAP_MEL.sample_rate)
    times = max(1, CLIP_SAMPLES // wave.shape[1])
    wave = wave.repeat(1, times)[:, :CLIP_SAMPLES]
    wave = torch.nn.functional.pad(wave, (0, CLIP_SAMPLES - wave.shape[1]))
    spectrum = stft(wave, CLAP_MEL.n_fft, CLAP_MEL.hop, CLAP_MEL.window, center=True)
    power = torch.view_as_real(spectrum).square().sum(-1)
    bands = filterbank(CLAP_MEL, wave.dtype, wave.device) @ power
    return 10 * bands.clamp(min=1e-10).log10().mT.unsqueeze(1)


def load_clap(name: str, text: str, vocode: Vocode, sample_rate: int, device: torch.device) -> Clap:
    """Load a CLAP model and make the control for a text.

    Args:
        name: Folder, or name on the hub, of a model without fusion, for example
            ``laion/clap-htsat-unfused``.
        text: Description of the music.
        vocode: Vocoder.
        sample_rate: Sample rate of the vocoder in Hz.
        device: Device of the vocoder's output.

    Returns:
        The control.

    Raises:
        InputError: If ``transformers`` is not installed, or the model cannot be loaded.
    """
    try:
        library: Any = importlib.import_module("transformers")
    except ModuleNotFoundError:
        message = "clap: transformers is not installed: pip install transformers"
        raise InputError(message) from None
    try:
        model = library.ClapModel.from_pretrained(name, use_safetensors=True)
        tokenizer = library.AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"clap: the model '{name}' cannot be loaded ({reason})") from None
    if model.config.audio_config.enable_fusion:
        raise InputError(f"clap: {name} uses fusion, which is not supported: name another model")
    model.eval().requires_grad_(False).to(device)
    tokens = tokenizer([text], return_tensors="pt").to(device)
    with torch.no_grad():
        embedding: Tensor = model.get_text_features(**tokens)[0]
    return Clap(
        lambda x: model.get_audio_features(input_features=x), embedding, vocode, sample_rate
    )
