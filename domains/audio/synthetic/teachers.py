"""What a teacher voice returns, and the check of the files it needs."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.domains.audio.pitch import PERIOD_S
from oneleap.domains.audio.wave import Wave

UNIT_S = 0.025
"""Unit of durations of Kokoro and its distillates, in seconds."""

PITCH_S = 0.0125
"""Seconds between two values of their pitch."""

LOWEST_HZ = 40.0
"""Lower values of their pitch mean unvoiced."""


@dataclass(frozen=True, eq=False)
class Spoken:
    """A spoken text with what the teacher knows about it.

    Attributes:
        wave: Sound.
        phonemes: Phonemes in Kokoro's alphabet, with the marks of the start and of the end.
        durations_s: Duration of each phoneme in seconds; their sum is that of the sound.
        f0: Pitch in Hz every 5 ms, 0 in unvoiced parts.
        parts: Spectral parts (frames, 5, bins) of a source-filter vocoder, or ``None``.
    """

    wave: Wave
    phonemes: tuple[str, ...]
    durations_s: tuple[float, ...]
    f0: NDArray[np.float32]
    parts: NDArray[np.float16] | None


@runtime_checkable
class Teacher(Protocol):
    """A synthesizer that knows durations and pitch."""

    license: str
    """Origin and license of the voice, for the data's card."""

    def say(self, text: str, seed: int) -> Spoken | None:
        """Speak a text, or return ``None`` if it is empty or too long for one call."""


def check_files(files: Mapping[Path, str], package: str) -> None:
    """Check that a package's files are those that the data were made with.

    Args:
        files: Expected sha256 of each file.
        package: Package and version, for the message.

    Raises:
        InputError: A file is missing or differs.
    """
    for path, expected in files.items():
        if not path.is_file():
            raise InputError(f"{path}: no such file: install {package}")
        if hashlib.sha256(path.read_bytes()).hexdigest() != expected:
            raise InputError(f"{path}: is not the file of {package}: install exactly that version")


def pitch_each_5ms(hz: NDArray[np.float32], first_s: float) -> NDArray[np.float32]:
    """Pitch every 5 ms, of a teacher's pitch every 12.5 ms.

    It is linear between voiced values; each point is as voiced as the nearest value.

    Args:
        hz: Pitch of the teacher.
        first_s: Time of its first value in the sound, in seconds.

    Returns:
        Pitch in Hz, 0 in unvoiced parts.
    """
    count = round(len(hz) * PITCH_S / PERIOD_S)
    known = np.flatnonzero(hz > LOWEST_HZ)
    if len(known) == 0:
        return np.zeros(count, np.float32)
    place = (np.arange(count) * PERIOD_S - first_s) / PITCH_S
    nearest = np.clip(np.rint(place), 0, len(hz) - 1).astype(int)
    between = np.interp(place, known, hz[known])
    return np.where(hz[nearest] > LOWEST_HZ, between, 0.0).astype(np.float32)


def session(
    graph: bytes, *, outputs: tuple[str, ...] = (), inputs: Mapping[str, str] = MappingProxyType({})
) -> Any:
    """Open a session of an ONNX graph on one thread.

    Args:
        graph: The graph.
        outputs: Inner values that become further outputs.
        inputs: Inner values that the caller feeds instead, with the names of the new inputs.

    Returns:
        A session of onnxruntime.
    """
    import onnx
    import onnxruntime

    model, floats = onnx.load_from_string(graph), onnx.TensorProto.FLOAT
    for node in model.graph.node:
        for i, name in enumerate(node.input):
            node.input[i] = inputs.get(name, name)
    for added, names in ((model.graph.input, inputs.values()), (model.graph.output, outputs)):
        added.extend(onnx.helper.make_tensor_value_info(name, floats, None) for name in names)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
