"""The graphs of a singer in openvpi's format: their names, inputs and outputs, and their export."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.hub.export import onnx_session, write_program
from oneleap.domains.singing.openvpi.graphs import (
    AcousticGraph,
    DurationGraph,
    PhonemeLinguisticGraph,
    PitchGraph,
    WordLinguisticGraph,
    sampler_depth,
)
from oneleap.domains.singing.openvpi.vocoder_graph import vocoder_graph
from oneleap.domains.singing.voice.singer import Singer

TOLERANCE = 1e-3
"""Largest accepted difference between a graph and its model, see :func:`write_graph`."""

PHRASE_SIZES = ((4, 3, 30), (9, 5, 200), (23, 11, 2200))
"""Phonemes, notes and frames of the test phrases; the last is longer than the noise table."""

AXES = {"l": "n_tokens", "w": "n_words", "k": "n_notes", "n": "n_frames"}
"""Name in the graph of each axis of any size, by its letter."""


@dataclass(frozen=True, eq=False)
class SingerGraph:
    """One of a singer's graphs.

    Attributes:
        path: Path of the file in the singer's folder.
        module: Module, called with the inputs in order.
        inputs: Axes of each input by its name. An axis is a letter of ``AXES`` or another character
            if its size is fixed; a scalar has none.
        outputs: Names of the outputs.
    """

    path: str
    module: nn.Module
    inputs: dict[str, str]
    outputs: tuple[str, ...]


def singer_graphs(singer: Singer, name: str, seed: int = 0) -> list[SingerGraph]:
    """List all graphs of a singer; the variance model has none.

    Args:
        singer: The singer.
        name: Name of the singer, from which the names of the files are made.
        seed: Seed of the noise tables.

    Returns:
        Graphs of the acoustic model, durations, pitch and vocoder.
    """
    acoustic, curves = singer.acoustic, {c: "1n" for c in singer.acoustic.curves}
    depth = {"depth": ""} if sampler_depth(acoustic) < 1 else {}
    score = {"tokens": "1l", "durations": "1l", "f0": "1n"}
    notes = {"note_midi": "1k", "note_rest": "1k", "note_dur": "1k"}
    pitch = {"encoder_out": "1lc", "ph_dur": "1l", **notes, "pitch": "1n", "retake": "1n"}
    encoded = ("encoder_out", "x_masks")
    return [
        SingerGraph(
            f"{name}.onnx",
            AcousticGraph(acoustic, seed),
            score | curves | depth | {"steps": ""},
            ("mel",),
        ),
        SingerGraph(
            f"dsdur/{name}.linguistic.onnx",
            WordLinguisticGraph(singer.durations),
            {"tokens": "1l", "word_div": "1w", "word_dur": "1w"},
            encoded,
        ),
        SingerGraph(
            f"dsdur/{name}.dur.onnx",
            DurationGraph(singer.durations),
            {"encoder_out": "1lc", "x_masks": "1l", "ph_midi": "1l"},
            ("ph_dur_pred",),
        ),
        SingerGraph(
            f"dspitch/{name}.linguistic.onnx",
            PhonemeLinguisticGraph(singer.pitch),
            {"tokens": "1l", "ph_dur": "1l"},
            encoded,
        ),
        SingerGraph(
            f"dspitch/{name}.pitch.onnx",
            PitchGraph(singer.pitch, seed),
            pitch | {"steps": ""},
            ("pitch_pred",),
        ),
        SingerGraph(
            f"dsvocoder/{name}-nsf.onnx",
            vocoder_graph(singer.vocoder, acoustic.spec, seed),
            {"mel": "1nm", "f0": "1n"},
            ("waveform",),
        ),
    ]


def random_inputs(
    graph: SingerGraph, singer: Singer, size: tuple[int, int, int], seed: int
) -> list[Tensor]:
    """Make random inputs of a graph that are consistent: durations add up to the frames.

    Args:
        graph: The graph.
        singer: The singer.
        size: Number of phonemes, notes and frames.
        seed: Seed of the random numbers.

    Returns:
        Inputs in the order of the graph.
    """
    phonemes, notes, frames = size
    g = torch.Generator().manual_seed(seed)
    spec = singer.acoustic.spec

    def split(total: int, parts: int) -> Tensor:
        ends = torch.randperm(total - 1, generator=g)[: parts - 1].sort().values + 1
        cuts = torch.cat([torch.zeros(1).long(), ends, torch.full((1,), total)])
        return cuts.diff().unsqueeze(0)

    for_pitch = "pitch" in graph.path
    width = (singer.pitch.encoder if for_pitch else singer.durations.encoder).width
    make: dict[str, Any] = {
        "tokens": lambda: torch.randint(1, len(spec.phonemes) + 1, (1, phonemes), generator=g),
        "durations": lambda: split(frames, phonemes),
        "ph_dur": lambda: split(frames, phonemes),
        "word_div": lambda: split(phonemes, min(notes, phonemes)),
        "word_dur": lambda: split(frames, min(notes, phonemes)),
        "note_dur": lambda: split(frames, notes),
        "note_midi": lambda: 60 + 5 * torch.randn(1, notes, generator=g),
        "note_rest": lambda: torch.rand(1, notes, generator=g) < 0.2,
        "ph_midi": lambda: torch.randint(48, 72, (1, phonemes), generator=g),
        "f0": lambda: 220 + 100 * torch.rand(1, frames, generator=g),
        "pitch": lambda: 60 + 5 * torch.rand(1, frames, generator=g),
        "retake": lambda: torch.rand(1, frames, generator=g) < 0.8,
        "encoder_out": lambda: torch.randn(1, phonemes, width, generator=g),
        "x_masks": lambda: torch.zeros(1, phonemes, dtype=torch.bool),
        "mel": lambda: -5 + torch.randn(1, frames, spec.channels, generator=g),
        "depth": lambda: torch.tensor(0.5),
        "steps": lambda: torch.tensor(3),
        "energy": lambda: -40 + 10 * torch.randn(1, frames, generator=g),
        "breathiness": lambda: -60 + 10 * torch.randn(1, frames, generator=g),
    }
    return [make[name]() for name in graph.inputs]


def write_graph(graph: SingerGraph, singer: Singer, path: Path) -> float:
    """Write a graph as ONNX and compare it with its module; no file is left if they differ.

    Args:
        graph: The graph.
        singer: The singer.
        path: File to write.

    Returns:
        Largest difference of an output, relative to its largest value if that is above 1.

    Raises:
        InputError: If the difference is larger than ``TOLERANCE``.
    """
    module = graph.module.eval()
    dims = {letter: torch.export.Dim(name, min=2) for letter, name in AXES.items()}
    shapes = [
        {i: dims[letter] for i, letter in enumerate(axes) if letter in dims}
        for axes in graph.inputs.values()
    ]
    named = 3 if isinstance(module, AcousticGraph) else len(shapes)  # its other inputs are *rest
    dynamic = (*shapes[:named], tuple(shapes[named:])) if named < len(shapes) else tuple(shapes)
    inputs = random_inputs(graph, singer, PHRASE_SIZES[0], 0)
    examples = dict(zip(graph.inputs, inputs, strict=True))
    with torch.no_grad(), atomic_write(path) as temporary:
        write_program(
            module, examples, graph.outputs, temporary, dynamic_shapes=dynamic, strict=False
        )
        session = onnx_session(temporary)
        gap = 0.0
        for seed, size in enumerate(PHRASE_SIZES):
            values = random_inputs(graph, singer, size, seed)
            expected = module(*values)
            expected = expected if isinstance(expected, tuple) else (expected,)
            feeds = {n: v.numpy() for n, v in zip(graph.inputs, values, strict=True)}
            for a, b in zip(session.run(None, feeds), expected, strict=True):
                gap = max(gap, _relative_difference(a, b.numpy()))
        if not gap <= TOLERANCE:
            raise InputError(
                f"{path}: the graph differs from the model by {gap:.2g}, more than {TOLERANCE:g}: "
                "not written"
            )
    return gap


def _relative_difference(a: Any, b: Any) -> float:
    """Largest difference of two arrays, relative to the largest value if that is above 1."""
    if a.shape != b.shape:
        return float("inf")
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    return float(np.abs(a - b).max() / max(1.0, np.abs(b).max()))
