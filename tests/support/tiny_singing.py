"""The smallest singing data and models: sawtooth waves for notes, models of a few weights."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.core.objectives import FlowMatching
from oneleap.core.sampling.samplers import FlowMapSampler, Sampler
from oneleap.core.types import Objective
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.singing.data.batches import AudioFeatures, collate, score_features
from oneleap.domains.singing.models.acoustic import AcousticModel
from oneleap.domains.singing.models.curves import CurveModel
from oneleap.domains.singing.models.durations import DurationModel
from oneleap.domains.singing.models.nets import AuxDecoderConfig, EncoderConfig, LYNXConfig
from oneleap.domains.singing.segments.segment import ScoreSegment
from oneleap.domains.singing.spec import SingingBatch, Spec
from oneleap.domains.singing.voice.singer import Singer

RATE = 8_000
MEL = Mel(sample_rate=RATE, n_fft=256, hop=128, window=256, n_mels=10, fmax=4000.0)
SPEC = Spec(MEL, ("AP", "SP", "a", "i", "k", "n", "s"), 57.0, 69.0)
SMALL = EncoderConfig(width=16, depth=1, heads=2, hidden=16)
DECODER = LYNXConfig(width=16, depth=1, kernel=3)

SCORE = ScoreSegment(
    ph_seq=("SP", "k", "a", "n", "i", "SP"),
    ph_num=(2, 2, 1, 1),
    note_midi=(None, 57.0, 60.0, 64.0, None),
    note_dur=(0.2, 0.3, 0.3, 0.2, 0.2),
    note_slur=(False, False, False, True, False),
    name="tune_0",
)
"""Rest, two syllables, the second slurred over two notes, rest."""

TIMED = ScoreSegment(
    ph_seq=SCORE.ph_seq,
    ph_num=SCORE.ph_num,
    ph_dur=(0.15, 0.05, 0.24, 0.06, 0.5, 0.2),
    note_midi=SCORE.note_midi,
    note_dur=SCORE.note_dur,
    note_slur=SCORE.note_slur,
    name="tune_0",
)


def tone(midi: tuple[float | None, ...], seconds: tuple[float, ...]) -> NDArray[np.float32]:
    """A sawtooth-like sound of ten harmonics that steps from note to note."""
    count = round(sum(seconds) * RATE)
    hz = [0.0 if m is None else 440 * 2 ** ((m - 69) / 12) for m in midi]
    ends = np.cumsum(seconds) * RATE
    each = np.array(hz)[np.minimum(np.searchsorted(ends, np.arange(count)), len(hz) - 1)]
    phase = 2 * np.pi * np.cumsum(each) / RATE
    wave = sum(np.sin(k * phase) / k for k in range(1, 11)) * (each > 0)
    return np.asarray(0.25 * wave + 1e-3 * np.sin(np.arange(count)), np.float32)


def write_corpus(folder: Path, songs: int = 4, phrases: int = 2) -> Path:
    """Write a folder of recordings in openvpi's layout."""
    import soundfile

    (folder / "wavs").mkdir(parents=True)
    header = "name,ph_seq,ph_dur,ph_num,note_seq,note_dur,note_slur"
    lines, notes = [header], ("A3", "C4", "E4")
    for song in range(songs):
        for phrase in range(phrases):
            name = f"song{song}_{phrase}"
            midi = (None, 57.0 + song % 2, 60.0, 64.0, None)
            soundfile.write(folder / "wavs" / f"{name}.wav", tone(midi, TIMED.note_dur), RATE)
            first = "A#3" if song % 2 else notes[0]
            lines.append(
                f"{name},{' '.join(TIMED.ph_seq)},{' '.join(map(str, TIMED.ph_dur))},2 2 1 1,"
                f"rest {first} C4 E4 rest,{' '.join(map(str, TIMED.note_dur))},0 0 0 1 0"
            )
    (folder / "transcriptions.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def randomize(model: torch.nn.Module, seed: int = 3) -> None:
    """Give every weight a random value, so that each has an influence."""
    g = torch.Generator().manual_seed(seed)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.2, generator=g)


def acoustic(
    objective: Objective | None = None,
    sampler: Sampler | None = None,
    depth: float = 1.0,
    *,
    drop: float = 0.0,
    temperature: float = 1.0,
) -> AcousticModel:
    """An acoustic model with random weights."""
    model = AcousticModel(
        SPEC,
        objective or FlowMatching(),
        sampler=sampler or FlowMapSampler(),
        encoder=SMALL,
        aux=AuxDecoderConfig(8, 8, 1),
        decoder=DECODER,
        depth=depth,
        crop_s=None,
        drop=drop,
        temperature=temperature,
    )
    randomize(model.net)
    randomize(model.average)
    return model.eval()


def curves(names: tuple[str, ...] = ("pitch",)) -> CurveModel:
    """A curve model with random weights."""
    model = CurveModel(
        SPEC,
        FlowMatching(),
        names=names,
        encoder=SMALL,
        melody=SMALL,
        decoder=DECODER,
        bins=2,
        temperature=0.5,
    )
    randomize(model.net)
    randomize(model.average)
    return model.eval()


def durations() -> DurationModel:
    """A duration model with random weights."""
    model = DurationModel(SPEC, encoder=SMALL, depth=1)
    randomize(model.net)
    randomize(model.average)
    return model.eval()


def vocoder() -> NSF:
    """An NSF vocoder with random weights."""
    model = NSF(MEL, width=16, hidden=16, depth=1)
    randomize(model)
    return model.eval()


TWO = [SCORE, replace(SCORE, offset=1.5)]
"""A song of two phrases."""


def tiny_singer() -> Singer:
    """A singer with random weights."""
    return Singer(acoustic(), durations(), curves(), vocoder())


def songs(seed: int = 0) -> SingingBatch:
    """Three phrases of noise, of unequal lengths."""
    g = torch.Generator().manual_seed(seed)
    scores, recordings = [], []
    for frames in (62, 70, 75):
        scores.append(score_features(TIMED, SPEC, frames))
        f0 = 200 + 100 * torch.rand(frames, generator=g)
        dbs = -40 + 10 * torch.randn(2, frames, generator=g)
        mel = torch.randn(10, frames, generator=g)
        recordings.append(AudioFeatures(mel, f0, dbs[0], dbs[1]))
    return collate(scores, recordings, MEL)
