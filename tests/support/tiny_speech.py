"""The smallest speech data, and models with few weights."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.core.objectives import FlowMatching
from oneleap.core.sampling.samplers import FlowMapSampler, Sampler
from oneleap.core.types import Objective
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.pitch import PitchFormat
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.speech.models.acoustic import AcousticModel
from oneleap.domains.speech.models.alignment import align_batch
from oneleap.domains.speech.models.nets import ConvNeXtConfig, TextEncoderConfig
from oneleap.domains.speech.spec import AlignedBatch, Spec, UtteranceBatch

RATE = 8_000
MEL = Mel(sample_rate=RATE, n_fft=256, hop=128, window=256, n_mels=10, fmax=4000.0)
SPEC = Spec(MEL)
TEXT = TextEncoderConfig(width=16, depth=1, heads=2, hidden=16, duration_width=8, speaker_dim=4)
DECODER = ConvNeXtConfig(width=16, depth=1, expansion=1)


def tone(seconds: float = 0.5, hz: float = 220.0, rate: int = RATE) -> NDArray[np.float32]:
    """A sawtooth-like sound with ten harmonics and a peak of about 0.5."""
    t = np.arange(round(seconds * rate)) / rate
    wave = sum(np.sin(2 * np.pi * hz * k * t) / k for k in range(1, 11))
    return np.asarray(0.25 * wave, np.float32)


def write_corpus(folder: Path, clips: int = 8, seconds: float = 1.0) -> Path:
    """Write a folder in the layout of LJSpeech, with phonetic transcripts."""
    import soundfile

    (folder / "wavs").mkdir(parents=True)
    lines = []
    for i in range(clips):
        soundfile.write(folder / "wavs" / f"c{i}.wav", tone(seconds, 110 + 20 * i), RATE)
        lines.append(f"c{i}|tone {i}|{'ab'[i % 2]}tˈɛst{'o' * (i % 3)}.")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def acoustic(
    objective: Objective | None = None, sampler: Sampler | None = None, spec: Spec = SPEC
) -> AcousticModel:
    """An acoustic model in which every weight has an effect."""
    model = AcousticModel(
        spec,
        objective or FlowMatching(),
        sampler=sampler or FlowMapSampler(),
        text=TEXT,
        decoder=DECODER,
        crop_s=None,
    )
    g = torch.Generator().manual_seed(3)
    for net in (model.net, model.average):
        for weight in net.parameters():
            torch.nn.init.normal_(weight, std=0.2, generator=g)
    return model.eval()


def vocoder() -> Vocos:
    """A vocoder in which every weight has an effect."""
    torch.manual_seed(0)
    model = Vocos(MEL, width=16, hidden=16, depth=2)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return model.eval()


def pitched_acoustic() -> AcousticModel:
    """An acoustic model that generates pitch, too."""
    return acoustic(spec=Spec(MEL, pitch=PitchFormat(center_hz=150.0, scale=0.1)))


def pitched_vocoder() -> SourceFilterVocoder:
    """A vocoder with pulses and noise in which every weight has an effect."""
    torch.manual_seed(0)
    model = SourceFilterVocoder(MEL, width=16, hidden=16, depth=2)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.2)
    return model.eval()


def utterances(seed: int = 0, speakers: int = 1) -> UtteranceBatch:
    """Three utterances of noise with different lengths."""
    g = torch.Generator().manual_seed(seed)
    lengths, frames = torch.tensor([4, 7, 2]), torch.tensor([12, 20, 9])
    tokens = torch.randint(1, 60, (3, 7), generator=g)
    features = torch.randn(3, MEL.n_mels, 20, generator=g)
    speaker = torch.arange(3) % speakers
    return UtteranceBatch(tokens, lengths, features, frames, speaker)


def batch(seed: int = 0, speakers: int = 1) -> AlignedBatch:
    """The utterances, with tokens of equal durations as far as possible."""
    rows = utterances(seed, speakers)
    durations = torch.zeros(3, 7, dtype=torch.long)
    for i, (n, total) in enumerate(zip(rows.lengths.tolist(), rows.frames.tolist(), strict=True)):
        durations[i, :n] = torch.tensor([total // n + (k < total % n) for k in range(n)])
    return align_batch(rows, durations)
