"""The domains of test_matrix.py: a little of their data, and the models that train on them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.tiny_music import write_pieces
from support.tiny_robot import demonstrations
from support.tiny_singing import write_corpus as write_songs_corpus
from support.tiny_speech import write_corpus

# A domain is a function that writes a little of its data into a folder, and the models that train
# on them. A new domain adds its line to DOMAINS.


def write_transitions(folder: Path) -> str:
    """Offline reinforcement learning: a file of D4RL's layout. Returns the section ``data``."""
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("gymnasium")
    g, n = np.random.default_rng(0), 120
    with h5py.File(folder / "tiny.hdf5", "w") as file:
        file["observations"] = g.normal(size=(n, 4)).astype(np.float32)
        file["actions"] = g.uniform(-1, 1, (n, 2)).astype(np.float32)
        file["rewards"] = g.normal(size=n).astype(np.float32)
        file["terminals"] = np.arange(n) % 40 == 39
        file["timeouts"] = np.zeros(n, bool)
    return """
  class_path: oneleap.domains.rl.OfflineData
  init_args: {path: tiny.hdf5, env: none, batch_size: 16}"""


def write_chunks(folder: Path) -> str:
    """Robots: demonstrations in robomimic's layout. Returns the section ``data``."""
    pytest.importorskip("h5py")
    demonstrations(folder / "demos.hdf5")
    return """
  class_path: oneleap.domains.robot.DemonstrationData
  init_args: {path: demos.hdf5, obs: [hand, object], horizon: 4, batch_size: 16}"""


def write_speech(folder: Path) -> str:
    """Speech: recordings in LJSpeech's layout. Returns the section ``data``."""
    for name in ("soundfile", "soxr", "numba"):
        pytest.importorskip(name)
    if not (folder / "corpus").exists():
        write_corpus(folder / "corpus")
    return """
  class_path: oneleap.domains.speech.SpeechData
  init_args:
    path: [corpus]
    ipa: true
    batch_size: 16
    mel: {sample_rate: 8000, n_fft: 256, hop: 128, window: 256, n_mels: 10, fmax: 4000.0}"""


def write_music(folder: Path) -> str:
    """Music: two folders of pieces, each a tag. Returns the section ``data``."""
    for name in ("soundfile", "soxr"):
        pytest.importorskip(name)
    if not (folder / "pieces").exists():
        write_pieces(folder / "pieces")
    return """
  class_path: oneleap.domains.music.MusicData
  init_args:
    path: [pieces]
    frames: 16
    batch_size: 16
    mel: {sample_rate: 8000, n_fft: 256, hop: 128, window: 256, n_mels: 10, fmax: 4000.0}"""


def write_songs(folder: Path) -> str:
    """Singing: recordings in openvpi's layout. Returns the section ``data``."""
    for name in ("soundfile", "soxr", "pyworld"):
        pytest.importorskip(name)
    if not (folder / "songs").exists():
        write_songs_corpus(folder / "songs")
    return """
  class_path: oneleap.domains.singing.SingingData
  init_args:
    path: [songs]
    validation: 0.25
    batch_size: 16
    mel: {sample_rate: 8000, n_fft: 256, hop: 128, window: 256, n_mels: 10, fmax: 4000.0}"""


RL = """network: {width: 16}
    recipe: {compile: false}"""

DOMAINS: dict[str, tuple[Callable[[Path], str], str]] = {
    "oneleap.domains.rl.Policy": (write_transitions, RL),
    "oneleap.domains.rl.OFQL": (write_transitions, RL),
    "oneleap.domains.robot.RobotPolicy": (
        write_chunks,
        """head: {class_path: oneleap.domains.robot.MLPHead, init_args: {width: 16}}
    recipe: {compile: false}""",
    ),
    "oneleap.domains.singing.AcousticModel": (
        write_songs,
        """encoder: {width: 16, depth: 1, heads: 2, hidden: 16}
    aux: {width: 8, hidden: 8, depth: 1}
    crop_s: 0.2
    depth: 0.6
    recipe: {optimizer: {lr: 1.0e-2, clip: 1.0}}
    decoder:
      class_path: oneleap.domains.singing.LYNXConfig
      init_args: {width: 16, depth: 1, kernel: 3}""",
    ),
    "oneleap.domains.singing.CurveModel": (
        write_songs,
        """encoder: {width: 16, depth: 1, heads: 2, hidden: 16}
    melody: {width: 16, depth: 1, heads: 2, hidden: 16}
    bins: 2
    recipe: {optimizer: {lr: 1.0e-2, clip: 1.0}}
    decoder:
      class_path: oneleap.domains.singing.LYNXConfig
      init_args: {width: 16, depth: 1, kernel: 3}""",
    ),
    "oneleap.domains.speech.AcousticModel": (
        write_speech,
        """text: {width: 16, depth: 1, heads: 2, hidden: 16, duration_width: 8}
    crop_s: 0.2
    recipe: {optimizer: {lr: 1.0e-2, clip: 1.0}}
    decoder:
      class_path: oneleap.domains.speech.ConvNeXtConfig
      init_args: {width: 16, depth: 1}""",
    ),
    "oneleap.domains.music.MusicModel": (
        write_music,
        """recipe: {optimizer: {lr: 1.0e-2, clip: 1.0}}
    backbone:
      class_path: oneleap.domains.music.UNetConfig
      init_args: {widths: [8, 16], context_dim: 16, patch: 2}""",
    ),
}
