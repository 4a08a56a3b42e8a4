"""musicnn equals a network written out by hand, and its tags are a control."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from support.tiny_music import musicnn_variables
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.musicnn import (
    FRAMES,
    TAGS,
    Tagger,
    musicnn_spectrogram,
    split_clips,
    tag_indices,
)
from oneleap.domains.music.controls.tagging import TargetTags


def by_hand(found: dict[str, np.ndarray], x: np.ndarray) -> np.ndarray:
    """The network written out, frames by bands by channels, without a convolution routine."""

    def norm(h: np.ndarray, k: int) -> np.ndarray:
        name = f"batch_normalization_{k}" if k else "batch_normalization"
        g, b, m, v = (
            found[f"{name}/{part}"] for part in ("gamma", "beta", "moving_mean", "moving_variance")
        )
        return (h - m) / np.sqrt(v + 1e-3) * g + b

    def conv(h: np.ndarray, name: str) -> np.ndarray:  # (n, bands), valid
        kernel = found[f"{name}/kernel"][:, :, 0]
        windows = np.lib.stride_tricks.sliding_window_view(h, kernel.shape[:2])
        out = np.tensordot(windows, kernel, 2) + found[f"{name}/bias"]
        return np.maximum(out, 0)

    x = norm(x[..., None], 0)[..., 0]
    padded = np.pad(x, ((3, 3), (0, 0)))
    front = [norm(conv(padded, f"conv2d{s}"), k).max(1) for s, k in (("", 1), ("_1", 2))]
    for k, n in ((2, 128), (3, 64), (4, 32)):
        same = np.pad(x, (((n - 1) // 2, n // 2), (0, 0)))
        front.append(norm(conv(same, f"conv2d_{k}"), k + 1).max(1))
    stack = [np.concatenate(front, 1)]
    for k in (5, 6, 7):
        h = norm(conv(np.pad(stack[-1], ((3, 3), (0, 0))), f"conv2d_{k}"), k + 1)[:, 0]
        stack.append(h if k == 5 else h + stack[-1])
    seen = np.concatenate(stack, 1)
    pool = np.stack([seen.max(0), seen.mean(0)], 1).reshape(-1)  # max and mean side by side
    h = norm(pool, 9) @ found["dense/kernel"] + found["dense/bias"]
    h = norm(np.maximum(h, 0), 10)
    return h @ found["dense_1/kernel"] + found["dense_1/bias"]


def test_the_network_equals_musicnn(musicnn_weights: Path) -> None:
    x = np.random.default_rng(1).random((60, 96)).astype(np.float32)
    found = Tagger.load(musicnn_weights)(torch.from_numpy(x)[None])[0].numpy()
    np.testing.assert_allclose(found, by_hand(musicnn_variables(), x), atol=1e-4, rtol=1e-3)


def test_weights_are_read_from_npz_and_safetensors(musicnn_weights: Path, tmp_path: Path) -> None:
    save_file(musicnn_variables(), tmp_path / "mtt.safetensors")
    x = torch.rand(2, 50, 96)
    ours, theirs = Tagger.load(musicnn_weights), Tagger.load(tmp_path / "mtt.safetensors")
    assert torch.equal(ours(x), theirs(x))
    assert ours.embed(x).shape == (2, 200)


def test_bad_weights_are_refused(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="no such file: expected the TensorFlow variables of musicnn"
    ):
        Tagger.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))  # something else
    np.savez(tmp_path / "pickle.npz", a=np.array([{}], dtype=object))
    wrong = musicnn_variables() | {"dense/kernel": np.zeros((3, 3), np.float32)}
    np.savez(tmp_path / "shape.npz", **wrong)
    for name in ("text", "other", "pickle", "shape"):
        with pytest.raises(
            InputError, match=r"damaged, or not (MTT_musicnn|an npz file|an archive)"
        ):
            Tagger.load(tmp_path / f"{name}.npz")


def test_the_spectrogram_equals_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    wave = 0.1 * np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    mel = librosa.feature.melspectrogram(
        y=wave, sr=16_000, hop_length=256, n_fft=512, n_mels=96, pad_mode="reflect"
    )
    expected = np.log10(1e4 * mel + 1).T
    found = musicnn_spectrogram(torch.from_numpy(wave)[None], 16_000)[0].numpy()
    np.testing.assert_allclose(found, expected, atol=2e-4)
    resampled = musicnn_spectrogram(torch.from_numpy(wave)[None], 32_000)
    assert abs(resampled.shape[1] - len(expected) / 2) <= 1


def test_pieces_are_half_a_piece_apart() -> None:
    x = torch.arange(2 * 400.0).reshape(2, 400, 1).expand(-1, -1, 96)
    found = split_clips(x)
    assert found.shape == (2 * 3, FRAMES, 96)
    assert found[:3, 0, 0].tolist() == [0, FRAMES // 2, 2 * (FRAMES // 2)]
    assert split_clips(x[:, :50]).shape == (2, 50, 96)


def test_tags_have_numbers() -> None:
    assert len(TAGS) == len(set(TAGS)) == 50
    assert tag_indices(["guitar", "choral"]) == [0, 49]
    with pytest.raises(InputError, match="did you mean 'guitar'"):
        tag_indices(["gitar"])


def vocode(mel: Tensor) -> Tensor:
    """A simple vocoder: noise whose level is the mean of the spectrogram."""
    g = torch.Generator().manual_seed(0)
    return mel.mean(1).repeat_interleave(256, 1) * torch.randn(1, mel.shape[2] * 256, generator=g)


def test_the_loss_of_tags_has_a_gradient(musicnn_weights: Path) -> None:
    control = TargetTags(Tagger.load(musicnn_weights), vocode, 16_000, ("guitar",), ("slow",))
    mel = torch.rand(2, 4, 60).requires_grad_(True)
    loss = control.loss(mel)
    p = control.probabilities(mel)
    expected = -(p[:, 0].log() + (1 - p[:, 2]).log()) / 2
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(control.metric(mel), torch.minimum(p[:, 0], 1 - p[:, 2]))
    (gradient,) = torch.autograd.grad(loss.sum(), mel)
    assert gradient.abs().sum() > 0
    data = control.plot_data(mel[:1])
    assert data.target[0] == 1
    assert data.target[2] == 0
    for wrong in ((), ("nonsense",)):
        with pytest.raises(InputError, match="tags"):
            TargetTags(control.tagger, vocode, 16_000, wrong)
