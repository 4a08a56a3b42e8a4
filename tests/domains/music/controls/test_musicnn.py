from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.music.controls.musicnn import (
    FRAMES,
    TAGS,
    Tagger,
    pieces,
    spectrogram,
    tag_indices,
)
from oneleap.domains.music.controls.tagging import Tags
from oneleap.domains.music.evaluation.frechet import Gaussian, embed, frechet, gaussian

SHAPES = {
    "conv2d": (7, 38, 1, 204),
    "conv2d_1": (7, 67, 1, 204),
    "conv2d_2": (128, 1, 1, 51),
    "conv2d_3": (64, 1, 1, 51),
    "conv2d_4": (32, 1, 1, 51),
    "conv2d_5": (7, 561, 1, 64),
    "conv2d_6": (7, 64, 1, 64),
    "conv2d_7": (7, 64, 1, 64),
    "dense": (1506, 200),
    "dense_1": (200, 50),
}
NORMS = (1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)


def variables(seed: int = 0) -> dict[str, np.ndarray]:
    """Random weights under TensorFlow's names and in its layout."""
    rng = np.random.default_rng(seed)
    found = dict[str, np.ndarray]()
    for name, shape in SHAPES.items():
        fan_in = np.prod(shape[:-1])
        found[f"{name}/kernel"] = rng.normal(size=shape) / np.sqrt(fan_in)
        found[f"{name}/bias"] = 0.1 * rng.normal(size=shape[-1])
    for k, width in enumerate(NORMS):
        name = f"batch_normalization_{k}" if k else "batch_normalization"
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            value = 0.2 * rng.normal(size=width)
            found[f"{name}/{part}"] = (
                np.exp(value) if part[-1] in "ea" and part != "beta" else value
            )
    return {name: value.astype(np.float32) for name, value in found.items()}


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("musicnn") / "mtt.npz"
    np.savez(path, **variables())
    return path


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


def test_the_network_is_musicnns(weights: Path) -> None:
    x = np.random.default_rng(1).random((60, 96)).astype(np.float32)
    found = Tagger.load(weights)(torch.from_numpy(x)[None])[0].numpy()
    np.testing.assert_allclose(found, by_hand(variables(), x), atol=1e-4, rtol=1e-3)


def test_weights_of_either_kind_of_file(weights: Path, tmp_path: Path) -> None:
    save_file(variables(), tmp_path / "mtt.safetensors")
    x = torch.rand(2, 50, 96)
    ours, theirs = Tagger.load(weights), Tagger.load(tmp_path / "mtt.safetensors")
    assert torch.equal(ours(x), theirs(x))
    assert ours.embed(x).shape == (2, 200)


def test_bad_weights_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file: musicnn"):
        Tagger.load(tmp_path / "none.npz")
    (tmp_path / "text.npz").write_text("hello")
    np.savez(tmp_path / "other.npz", a=np.zeros(3))  # of another kind altogether
    np.savez(tmp_path / "pickle.npz", a=np.array([{}], dtype=object))
    wrong = variables() | {"dense/kernel": np.zeros((3, 3), np.float32)}
    np.savez(tmp_path / "shape.npz", **wrong)
    for name in ("text", "other", "pickle", "shape"):
        with pytest.raises(InputError, match="does not hold MTT_musicnn"):
            Tagger.load(tmp_path / f"{name}.npz")


def test_the_spectrogram_is_librosas() -> None:
    librosa = pytest.importorskip("librosa")
    wave = 0.1 * np.random.default_rng(0).normal(size=16_000).astype(np.float32)
    mel = librosa.feature.melspectrogram(
        y=wave, sr=16_000, hop_length=256, n_fft=512, n_mels=96, pad_mode="reflect"
    )
    expected = np.log10(1e4 * mel + 1).T
    found = spectrogram(torch.from_numpy(wave)[None], 16_000)[0].numpy()
    np.testing.assert_allclose(found, expected, atol=2e-4)
    resampled = spectrogram(torch.from_numpy(wave)[None], 32_000)
    assert abs(resampled.shape[1] - len(expected) / 2) <= 1


def test_pieces_are_half_a_piece_apart() -> None:
    x = torch.arange(2 * 400.0).reshape(2, 400, 1).expand(-1, -1, 96)
    found = pieces(x)
    assert found.shape == (2 * 3, FRAMES, 96)
    assert found[:3, 0, 0].tolist() == [0, FRAMES // 2, 2 * (FRAMES // 2)]
    assert pieces(x[:, :50]).shape == (2, 50, 96)


def test_tags_have_numbers() -> None:
    assert len(TAGS) == len(set(TAGS)) == 50
    assert tag_indices(["guitar", "choral"]) == [0, 49]
    with pytest.raises(InputError, match="did you mean 'guitar'"):
        tag_indices(["gitar"])


def hear(mel: Tensor) -> Tensor:
    """Noise whose level is the spectrogram's: a vocoder of one line."""
    g = torch.Generator().manual_seed(0)
    return mel.mean(1).repeat_interleave(256, 1) * torch.randn(1, mel.shape[2] * 256, generator=g)


def test_tags_are_asked_for_by_gradient(weights: Path) -> None:
    control = Tags(Tagger.load(weights), hear, 16_000, ("guitar",), ("slow",))
    mel = torch.rand(2, 4, 60).requires_grad_(True)
    loss = control.loss(mel)
    p = control.probabilities(mel)
    expected = -(p[:, 0].log() + (1 - p[:, 2]).log()) / 2
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(control.metric(mel), torch.minimum(p[:, 0], 1 - p[:, 2]))
    (gradient,) = torch.autograd.grad(loss.sum(), mel)
    assert gradient.abs().sum() > 0
    shown = control.shown(mel[:1])
    assert shown.target[0] == 1
    assert shown.target[2] == 0
    for wrong in ((), ("nonsense",)):
        with pytest.raises(InputError, match="tags"):
            Tags(control.tagger, hear, 16_000, wrong)


# Frechet distance


def law(mean: float, variances: list[float], n: int = 100) -> Gaussian:
    covariance = torch.diag(torch.tensor(variances, dtype=torch.float64))
    return Gaussian(torch.full((len(variances),), mean, dtype=torch.float64), covariance, n)


def test_the_distance_of_normal_laws_in_closed_form() -> None:
    a, b = law(0.0, [1.0, 4.0, 9.0]), law(2.0, [4.0, 4.0, 1.0])
    expected = 3 * 4 + sum((x - y) ** 2 for x, y in ((1, 2), (2, 2), (3, 1)))
    assert frechet(a, b) == pytest.approx(expected)
    assert frechet(b, a) == pytest.approx(expected)
    assert frechet(a, a) == pytest.approx(0, abs=1e-9)


def test_it_is_the_same_in_any_axes() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(50, 6, generator=g, dtype=torch.float64)
    y = 2 * torch.randn(40, 6, generator=g, dtype=torch.float64) + 1
    turn, _ = torch.linalg.qr(torch.randn(6, 6, generator=g, dtype=torch.float64))
    plain = frechet(gaussian(x), gaussian(y))
    assert frechet(gaussian(x @ turn), gaussian(y @ turn)) == pytest.approx(plain)


def test_it_is_numpys_root_where_that_works() -> None:
    import scipy.linalg

    g = torch.Generator().manual_seed(1)
    x, y = (torch.randn(60, 5, generator=g).double() @ torch.randn(5, 5).double() for _ in "ab")
    a, b = gaussian(x), gaussian(y)
    root = scipy.linalg.sqrtm(a.covariance.numpy() @ b.covariance.numpy()).real
    expected = (a.mean - b.mean).square().sum() + np.trace(
        a.covariance.numpy() + b.covariance.numpy() - 2 * root
    )
    assert frechet(a, b) == pytest.approx(float(expected), rel=1e-6)


def test_covariances_without_full_rank_are_no_trouble() -> None:
    g = torch.Generator().manual_seed(0)
    x = torch.randn(5, 30, generator=g)
    assert frechet(gaussian(x), gaussian(x)) == pytest.approx(0, abs=1e-6)
    assert frechet(gaussian(x), gaussian(x + 1)) == pytest.approx(30, rel=1e-5)
    with pytest.raises(InputError, match="two clips"):
        gaussian(x[:1])


def test_fewer_samples_look_farther_away() -> None:
    """The bias that the docstring states."""
    g = torch.Generator().manual_seed(0)
    found = []
    for n in (50, 200, 2000):
        x, y = (torch.randn(n, 10, generator=g) for _ in "ab")
        found.append(frechet(gaussian(x), gaussian(y)))
    assert found[0] > 3 * found[1] > 9 * found[2] > 0
    assert found[1] > 10 * 2 / 200 / 2


def test_embeddings_of_sounds(weights: Path) -> None:
    g = torch.Generator().manual_seed(0)
    waves = [0.1 * torch.randn(2, 16_000, generator=g) for _ in range(2)]
    found = embed(Tagger.load(weights), waves, 16_000)
    assert found.shape == (4, 200)
    assert not found.requires_grad
