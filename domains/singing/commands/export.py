"""``oneleap export`` for singers: openvpi's folders of ONNX graphs, for editors of that kind."""

import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.audio.vocoders.nsf_onnx import NSFGraph
from oneleap.domains.singing.openvpi import acoustic_graph as graphs
from oneleap.domains.singing.openvpi import score_graphs as graphs_score
from oneleap.domains.singing.openvpi.dsconfig import configurations
from oneleap.domains.singing.voice import loading as store
from oneleap.domains.singing.voice.singer import Singer

TOLERANCE = 1e-3
"""Greatest difference from the model, relative to values above 1, that is let pass."""

SIZES = ((4, 3, 30), (9, 5, 200), (23, 11, 2200))
"""Phonemes, notes and frames of the phrases that are compared; the last is beyond the table."""

DIMS = {"l": "n_tokens", "w": "n_words", "k": "n_notes", "n": "n_frames"}


@dataclass(frozen=True, eq=False)
class Graph:
    """A graph to be written.

    Attributes:
        path: In the folder of the singer.
        module: Called with the inputs in order.
        inputs: Name to the letters of its axes, "" for a scalar.
        outputs: Names.
    """

    path: str
    module: nn.Module
    inputs: dict[str, str]
    outputs: tuple[str, ...]


def graphs_of(singer: Singer, name: str, seed: int = 0) -> list[Graph]:
    """All graphs of a singer."""
    acoustic, curves = singer.acoustic, {c: "1n" for c in singer.acoustic.curves}
    depth = {"depth": ""} if graphs.depth_of(acoustic) < 1 else {}
    score = {"tokens": "1l", "durations": "1l", "f0": "1n"}
    word = {"tokens": "1l", "word_div": "1w", "word_dur": "1w"}
    notes = {"note_midi": "1k", "note_rest": "1k", "note_dur": "1k"}
    pitch = {"encoder_out": "1lc", "ph_dur": "1l", **notes, "pitch": "1n", "retake": "1n"}
    encoded = ("encoder_out", "x_masks")
    return [
        Graph(
            f"{name}.onnx",
            graphs.AcousticGraph(acoustic, seed),
            score | curves | depth | {"steps": ""},
            ("mel",),
        ),
        Graph(
            f"dsdur/{name}.linguistic.onnx",
            graphs_score.WordLinguistic(singer.durations),
            word,
            encoded,
        ),
        Graph(
            f"dsdur/{name}.dur.onnx",
            graphs_score.Duration(singer.durations),
            {"encoder_out": "1lc", "x_masks": "1l", "ph_midi": "1l"},
            ("ph_dur_pred",),
        ),
        Graph(
            f"dspitch/{name}.linguistic.onnx",
            graphs_score.PhonemeLinguistic(singer.pitch),
            {"tokens": "1l", "ph_dur": "1l"},
            encoded,
        ),
        Graph(
            f"dspitch/{name}.pitch.onnx",
            graphs_score.PitchGraph(singer.pitch, seed),
            pitch | {"steps": ""},
            ("pitch_pred",),
        ),
        Graph(
            f"dsvocoder/{name}-nsf.onnx",
            NSFGraph(singer.vocoder, seed),
            {"mel": "1nm", "f0": "1n"},
            ("waveform",),
        ),
    ]


def drawn(graph: Graph, singer: Singer, size: tuple[int, int, int], seed: int) -> list[Tensor]:
    """Random inputs that make sense: durations add up to the frames."""
    phonemes, notes, frames = size
    g = torch.Generator().manual_seed(seed)
    spec = singer.acoustic.spec

    def shares(total: int, parts: int) -> Tensor:
        ends = torch.randperm(total - 1, generator=g)[: parts - 1].sort().values + 1
        cuts = torch.cat([torch.zeros(1).long(), ends, torch.full((1,), total)])
        return cuts.diff().unsqueeze(0)

    of_pitch = "pitch" in graph.path
    width = (singer.pitch.encoder if of_pitch else singer.durations.encoder).width
    made: dict[str, Any] = {
        "tokens": lambda: torch.randint(1, len(spec.phonemes) + 1, (1, phonemes), generator=g),
        "durations": lambda: shares(frames, phonemes),
        "ph_dur": lambda: shares(frames, phonemes),
        "word_div": lambda: shares(phonemes, min(notes, phonemes)),
        "word_dur": lambda: shares(frames, min(notes, phonemes)),
        "note_dur": lambda: shares(frames, notes),
        "note_midi": lambda: 60 + 5 * torch.randn(1, notes, generator=g),
        "note_rest": lambda: torch.rand(1, notes, generator=g) < 0.2,
        "ph_midi": lambda: torch.randint(48, 72, (1, phonemes), generator=g),
        "f0": lambda: 220 + 100 * torch.rand(1, frames, generator=g),
        "pitch": lambda: 60 + 5 * torch.rand(1, frames, generator=g),
        "retake": lambda: torch.rand(1, frames, generator=g) < 0.8,
        "encoder_out": lambda: torch.randn(1, phonemes, width, generator=g),
        "x_masks": lambda: torch.zeros(1, phonemes, dtype=torch.bool),
        "mel": lambda: -5 + torch.randn(1, frames, spec.mel.n_mels, generator=g),
        "depth": lambda: torch.tensor(0.5),
        "steps": lambda: torch.tensor(3),
        "energy": lambda: -40 + 10 * torch.randn(1, frames, generator=g),
        "breathiness": lambda: -60 + 10 * torch.randn(1, frames, generator=g),
    }
    return [made[name]() for name in graph.inputs]


def write(graph: Graph, singer: Singer, path: Path) -> float:
    """Write a graph and compare it with its module; the greatest difference.

    Raises:
        InputError: If it is more than 0.001.
    """
    import onnx  # noqa: F401  (named here, so that the command can name the extra)
    import onnxruntime
    import onnxscript  # noqa: F401

    module = graph.module.eval()
    dims = {letter: torch.export.Dim(name, min=2) for letter, name in DIMS.items()}
    shapes = [
        {i: dims[letter] for i, letter in enumerate(axes) if letter in dims}
        for axes in graph.inputs.values()
    ]
    inputs = tuple(drawn(graph, singer, SIZES[0], 0))
    fixed = 3 if isinstance(module, graphs.AcousticGraph) else len(shapes)
    given = (*shapes[:fixed], tuple(shapes[fixed:])) if fixed < len(shapes) else tuple(shapes)
    with torch.no_grad(), _quiet(), replacing(path) as temporary:
        program = torch.export.export(module, inputs, dynamic_shapes=given, strict=False)
        torch.onnx.export(
            program,
            (),
            str(temporary),
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=list(graph.inputs),
            output_names=list(graph.outputs),
        )
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            temporary.read_bytes(), options, providers=["CPUExecutionProvider"]
        )
        gap = 0.0
        for seed, size in enumerate(SIZES):
            values = drawn(graph, singer, size, seed)
            wanted = module(*values)
            feeds = {n: v.numpy() for n, v in zip(graph.inputs, values, strict=True)}
            found = session.run(None, feeds)
            for a, b in zip(found, wanted if isinstance(wanted, tuple) else (wanted,), strict=True):
                gap = max(gap, _difference(a, b.numpy()))
        if not gap <= TOLERANCE:
            raise InputError(f"{path}: the exported graph is off by {gap:.2g}: not written")
    return gap


def _difference(a: Any, b: Any) -> float:
    """Greatest difference, of values above 1 relative to the greatest."""
    if a.shape != b.shape:
        return float("inf")
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))


def export(run: Path, out: Path | None = None) -> None:
    """Write a singer as openvpi's graphs for ONNX Runtime, with their configurations.

    ``dsconfig.yaml``, ``phonemes.json`` and the acoustic graph lie in the folder, durations in
    ``dsdur``, pitch in ``dspitch``, the vocoder in ``dsvocoder``. Names, shapes and types are those
    of openvpi/DiffSinger's exporters; each graph is compared with its model. Noise is a table in
    the graph, so that a result can be repeated. The opset is 18, where openvpi has 17. A voice that
    heeds energy and breathiness takes them as inputs; the model that makes them is not written.

    Example: oneleap export singers/mine/acoustic --out dsvoice

    Args:
        run: Folder of a singer's acoustic model, beside which its other parts lie.
        out: Folder to write; by default ``onnx`` beside the parts.

    Raises:
        InputError: There is no singer, or a graph differs from its model.
    """
    folder = run if (run / store.ACOUSTIC).is_dir() else run.resolve().parent
    if not (folder / store.ACOUSTIC).is_dir():
        raise InputError(
            f"{run}: a graph needs all parts of a singer: pack them with oneleap singer, then "
            "oneleap export FOLDER/acoustic"
        )
    singer = Singer.load(folder)
    spec = singer.acoustic.spec
    if spec.mel.n_fft % spec.mel.hop:
        raise InputError(f"mel: n_fft {spec.mel.n_fft} is no multiple of the hop {spec.mel.hop}")
    name, out = folder.name, folder / "onnx" if out is None else out
    files = configurations(singer, name)
    for graph in graphs_of(singer, name):
        path = out / graph.path
        gap = write(graph, singer, path)
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, off by {gap:.1e}")
    for file, values in files.items():
        with replacing(out / file) as path:
            path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    numbers = {"<PAD>": 0} | {phoneme: i + 1 for i, phoneme in enumerate(spec.phonemes)}
    with replacing(out / "phonemes.json") as path:
        path.write_text(json.dumps(numbers, ensure_ascii=False, indent=1), encoding="utf-8")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what exporters say of their own inner affairs off the user's screen."""
    loggers = [logging.getLogger(n) for n in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels: Sequence[int] = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
