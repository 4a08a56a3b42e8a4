"""The expert policies behind D4RL's Adroit ``*-expert`` sets, from plain arrays."""

import io
import urllib.request
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from oneleap.core.errors import InputError

Array = NDArray[np.float32]

ARRAYS = (
    *(f"{kind}{k}" for k in range(3) for kind in ("weight", "bias")),
    "in_shift",
    "in_scale",
    "out_shift",
    "out_scale",
    "log_std",
)
"""Arrays of a policy: three layers, and the scales of observations, actions and noise."""

EPSILON = 1e-8
"""Added to ``in_scale``, as in the policies' own code."""

LARGEST_FILE = 10_000_000
"""Largest number of bytes that is downloaded; a policy has 35,000."""


@dataclass(frozen=True, eq=False)
class ExpertPolicy:
    """A Gaussian policy of DAPG (Rajeswaran et al. 2018, arXiv 1709.10087).

    With ``x = (obs - in_shift) / (in_scale + 1e-8)`` and ``h`` the two hidden layers with tanh, the
    mean is ``(W2 h + b2) * out_scale + out_shift``. Noise has the deviation ``exp(log_std)``.

    Attributes:
        layers: Weights (out, in) and biases (out,) of the three layers.
        in_shift: Mean of the observations, (o,).
        in_scale: Deviation of the observations, (o,).
        out_shift: Added to actions, (a,).
        out_scale: Factor on actions, (a,).
        log_std: Logarithm of the deviation of actions, (a,).
    """

    layers: tuple[tuple[Array, Array], ...]
    in_shift: Array
    in_scale: Array
    out_shift: Array
    out_scale: Array
    log_std: Array

    @property
    def sizes(self) -> tuple[int, int]:
        """Sizes of an observation and of an action."""
        return len(self.in_shift), len(self.out_shift)

    def mean(self, obs: Array) -> Array:
        """Mean action for an observation, (o,) -> (a,)."""
        x = (obs - self.in_shift) / (self.in_scale + np.float32(EPSILON))
        for weight, bias in self.layers[:-1]:
            x = np.tanh(weight @ x + bias)
        weight, bias = self.layers[-1]
        return np.asarray((weight @ x + bias) * self.out_scale + self.out_shift, np.float32)

    def act(self, obs: Array, rng: np.random.Generator) -> Array:
        """Draw an action within [-1, 1], (o,) -> (a,)."""
        noise = np.exp(self.log_std) * rng.standard_normal(len(self.log_std), np.float32)
        return np.asarray((self.mean(obs) + noise).clip(-1, 1), np.float32)


def read_policy(source: str) -> ExpertPolicy:
    """Read a policy from an npz file; nothing is unpickled.

    Args:
        source: Path or URL (https) of the file.

    Returns:
        The policy.

    Raises:
        InputError: There is no such file, or it holds no policy.
    """
    try:
        with np.load(io.BytesIO(_read_bytes(source)), allow_pickle=False) as file:
            missing = [name for name in ARRAYS if name not in file.files]
            if missing:
                raise InputError(f"{source}: has no array {missing[0]!r}, which a policy needs")
            found = {name: np.asarray(file[name], np.float32) for name in ARRAYS}
    except (ValueError, EOFError, zipfile.BadZipFile) as error:
        if isinstance(error, InputError):
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise InputError(
            f"{source}: not an npz file of plain arrays, or damaged: {reason}"
        ) from None
    layers = tuple((found[f"weight{k}"], found[f"bias{k}"]) for k in range(3))
    policy = ExpertPolicy(layers, *(found[name] for name in ARRAYS[6:]))
    widths = [policy.sizes[0], *(len(bias) for _, bias in layers)]
    fits = [w.shape == (widths[k + 1], widths[k]) for k, (w, _) in enumerate(layers)]
    scales = policy.in_scale.shape, policy.out_scale.shape, policy.log_std.shape
    if (
        not all(fits)
        or widths[-1] != policy.sizes[1]
        or scales
        != (
            policy.in_shift.shape,
            *[policy.out_shift.shape] * 2,
        )
    ):
        raise InputError(f"{source}: its layers and scales do not fit each other")
    return policy


def _read_bytes(source: str) -> bytes:
    if not source.startswith(("https://", "http://")):
        path = Path(source).expanduser()
        if not path.is_file():
            raise InputError(f"{source}: no such file; --policy names the expert's npz file")
        return path.read_bytes()
    try:
        with urllib.request.urlopen(source, timeout=60) as answer:
            data: bytes = answer.read(LARGEST_FILE + 1)
    except OSError as error:
        raise InputError(f"{source}: cannot be downloaded: {error}") from None
    if len(data) > LARGEST_FILE:
        raise InputError(f"{source}: is larger than {LARGEST_FILE} bytes, so it is no policy")
    return data
