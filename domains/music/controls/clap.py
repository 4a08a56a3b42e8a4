"""A control in words: CLAP (Wu et al. 2023, arXiv 2211.06687), where the user has one.

DITTO-2 steers an unconditional model by text this way (Sec. 4). CLAP is not part of oneleap: it
is loaded by the library ``transformers``, by a hub name or from a folder, from safetensors only.
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
from oneleap.domains.music.controls.base import Control, Shown
from oneleap.domains.music.controls.tagging import Hear

HEARD = Mel(
    sample_rate=48_000,
    n_fft=1024,
    hop=480,
    window=1024,
    n_mels=64,
    fmin=50.0,
    fmax=14_000.0,
    center=True,
)
"""Its spectrogram, of the models without fusion: powers in dB."""

CLIP = 480_000
"""Samples it takes, ten seconds; shorter sounds are repeated."""

Embed = Callable[[Tensor], Tensor]
"""Spectrograms (b, 1, frames, 64) to embeddings (b, d)."""


@dataclass(frozen=True, eq=False)
class Clap(Control):
    """What the music is like in words: ``L = 1 - cos(audio, text)`` of CLAP's embeddings.

    Attributes:
        embed: CLAP's tower of sound.
        text: Embedding of the words, (d,).
        hear: The vocoder.
        sample_rate: Of its samples.
        stop: Cosine.
    """

    name: ClassVar[str] = "clap"
    unit: ClassVar[str] = "cosine"
    rising: ClassVar[bool] = True
    scale: ClassVar[float] = 0.5

    embed: Embed
    text: Float[Tensor, "d"]
    hear: Hear
    sample_rate: int
    stop: float = 0.5

    def loss(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """``1 - cos``."""
        seen = self.embed(clap_input(self.hear(mel), self.sample_rate))
        return 1 - cosine_similarity(seen, self.text.to(seen)[None])

    def metric(self, mel: Float[Tensor, "b mels n"]) -> Float[Tensor, "b"]:
        """The cosine."""
        return 1 - self.loss(mel)

    def shown(self, mel: Float[Tensor, "1 mels n"]) -> Shown:
        """The cosine and what it is to be."""
        return Shown(mel.new_tensor([self.stop]), self.metric(mel), "cosine")


def clap_input(wave: Float[Tensor, "b n"], sample_rate: int) -> Float[Tensor, "b 1 frames 64"]:
    """CLAP's spectrogram of a sound, repeated to ten seconds; differentiable."""
    if sample_rate != HEARD.sample_rate:
        import torchaudio

        wave = torchaudio.functional.resample(wave, sample_rate, HEARD.sample_rate)
    times = max(1, CLIP // wave.shape[1])
    wave = wave.repeat(1, times)[:, :CLIP]
    wave = torch.nn.functional.pad(wave, (0, CLIP - wave.shape[1]))
    spectrum = stft(wave, HEARD.n_fft, HEARD.hop, HEARD.window, center=True)
    power = torch.view_as_real(spectrum).square().sum(-1)
    bands = filterbank(HEARD, wave.dtype, wave.device) @ power
    return 10 * bands.clamp(min=1e-10).log10().mT.unsqueeze(1)


def load_clap(name: str, text: str, hear: Hear, sample_rate: int, device: torch.device) -> Clap:
    """The control for some words, by a CLAP that the user has.

    Args:
        name: Folder or hub name of a model without fusion, ``laion/clap-htsat-unfused`` say.
        text: What the music is to be like.
        hear: The vocoder.
        sample_rate: Of its samples.
        device: Of its sounds.

    Raises:
        InputError: If ``transformers`` is not installed, or there is no such model.
    """
    try:
        library: Any = importlib.import_module("transformers")
    except ModuleNotFoundError:
        told = "clap: transformers is not installed: pip install transformers"
        raise InputError(told) from None
    try:
        model = library.ClapModel.from_pretrained(name, use_safetensors=True)
        tokenizer = library.AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"clap: no model '{name}' to be had ({reason})") from None
    if model.config.audio_config.enable_fusion:
        raise InputError(f"clap: {name} has fusion; name one without")
    model.eval().requires_grad_(False).to(device)
    read = tokenizer([text], return_tensors="pt").to(device)
    with torch.no_grad():
        words: Tensor = model.get_text_features(**read)[0]
    return Clap(lambda x: model.get_audio_features(input_features=x), words, hear, sample_rate)
