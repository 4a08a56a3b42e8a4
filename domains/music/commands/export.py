"""``oneleap export`` for music: noise and tags in, sound out, as one graph."""

from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.export import Format, Graph, export_graphs
from oneleap.domains.audio.stft import hann
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.music.composer.composer import Composer


class Inverse(nn.Module):
    """Real and imaginary parts of frames to samples, as two products and an overlap-add.

    Equal to :func:`oneleap.domains.audio.stft.istft`, of which runtimes know no Fourier
    transform of complex numbers: an inverse transform of real samples is a matrix, the window
    being part of it. Its number of frames is fixed, for it divides by the windows' overlap.

    Args:
        vocoder: Whose contract it is.
        frames: Of a clip.
    """

    def __init__(self, vocoder: Vocos, frames: int) -> None:
        super().__init__()
        spec = vocoder.spec
        self.hop, self.n_fft, self.frames = spec.hop, spec.n_fft, frames
        bins = spec.n_fft // 2 + 1
        window = hann(spec.window, spec.n_fft, torch.float64, torch.device("cpu"))
        basis = torch.eye(bins, dtype=torch.complex128)
        kernels = [torch.fft.irfft(unit * basis, spec.n_fft) * window for unit in (1, 1j)]
        self.kernel: Tensor
        self.share: Tensor
        # Bins of both parts to the samples of a frame: a transposed convolution adds up frames.
        self.register_buffer("kernel", torch.cat(kernels).float().unsqueeze(1), persistent=False)
        total = nn.functional.conv_transpose1d(
            torch.ones(1, 1, frames, dtype=torch.float64),
            window.square()[None, None],
            stride=spec.hop,
        )
        self.register_buffer("share", 1 / total.clamp(min=1e-8).float(), persistent=False)

    def forward(
        self, real: Float[Tensor, "b bins n"], imaginary: Float[Tensor, "b bins n"]
    ) -> Float[Tensor, "b samples"]:
        """Samples, a hop for each frame."""
        both = torch.cat([real, imaginary], dim=1)
        wave = nn.functional.conv_transpose1d(both, self.kernel, stride=self.hop) * self.share
        first = (self.n_fft - self.hop) // 2
        samples: Tensor = wave[:, 0, first : first + self.frames * self.hop]
        return samples


class OneClip(nn.Module):
    """A clip of fixed length: the student's one step, then the vocoder.

    Args:
        composer: Whose student and vocoder it is.
        frames: Of a clip.

    Raises:
        InputError: If it has no student, or no trained vocoder.
    """

    def __init__(self, composer: Composer, frames: int) -> None:
        super().__init__()
        student, vocoder = composer.student, composer.vocoder
        if student is None or not isinstance(vocoder, Vocos):
            raise InputError("only a composer with a student and a trained vocoder is exported")
        self.net, self.vocoder, self.inverse = student.average, vocoder, Inverse(vocoder, frames)
        self.tagged = bool(composer.spec.tags)
        self.scaled, self.guided = student.guided, student.guided and self.tagged
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", student.mean.clone(), persistent=False)
        self.register_buffer("std", student.std.clone(), persistent=False)

    def forward(
        self,
        noise: Float[Tensor, "b mels n"],
        tags: Float[Tensor, "b k"] | None = None,
        guidance: Float[Tensor, "b"] | None = None,
    ) -> Float[Tensor, "b samples"]:
        """Samples of clips."""
        one, zero = torch.ones_like(noise[:, 0, 0]), torch.zeros_like(noise[:, 0, 0])
        cond = () if tags is None else (tags,)
        if self.scaled and guidance is None:
            guidance = one  # nothing to guide by
        mel = (noise - self.net(noise, zero, one, *cond, guidance=guidance)) * self.std + self.mean
        samples: Tensor = self.inverse(*self.vocoder.spectrum(mel))
        return samples


def graph_of(composer: Composer, seconds: float, seed: int = 0) -> Graph:
    """The student and the vocoder as a graph ``composer(noise[, tags][, guidance]) -> wave``."""
    frames = composer.frames(seconds)
    module = OneClip(composer, frames)
    draws = torch.Generator().manual_seed(seed)
    student = composer.student
    assert student is not None
    names = ["noise", *["tags"] * module.tagged, *["guidance"] * module.guided]

    def draw(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        noise = composer.noise(n, seconds, draws)
        inputs: tuple[Tensor, ...] = (noise,)
        if module.tagged:
            shape = (n, len(composer.spec.tags))
            inputs += (torch.randint(0, 2, shape, generator=draws).float(),)
        if module.guided:
            inputs += (1 + 3 * torch.rand(n, generator=draws),)
        cond = inputs[1:2] if module.tagged else ()
        zero, one = torch.zeros(n), torch.ones(n)
        scale = inputs[2] if module.guided else one if module.scaled else None
        with torch.inference_mode():
            x = noise - student.average(noise, zero, one, *cond, guidance=scale)
            wanted = composer.vocode(composer.features(x))
        return inputs, wanted

    return Graph("composer", module, tuple(names), "wave", draw)


def export(
    composer: Path, format: Format = "onnx", seconds: float = 6.0, tolerance: float = 1e-3
) -> None:
    """Write a composer's student and vocoder as one graph, normalisation inside.

    Inputs are standard normal ``noise`` (n, mels, frames) of ``seconds``, ``tags`` (n, k), 1 where
    a tag of the model's ``config.json`` applies, if it has any, and a ``guidance`` scale (n), if
    the student takes one. The output ``wave`` is (n, samples). It is written to the composer's
    folder, compared with the composer there in its own runtime, and timed; the card tells the
    result.

    Example: oneleap export composers/mine --seconds 6

    Args:
        composer: Folder of a composer, as ``oneleap composer`` makes it.
        format: For ONNX Runtime, or for libtorch.
        seconds: Of the clips.
        tolerance: Greatest difference of a sample that is let pass.

    Raises:
        InputError: There is no such composer, or the graph differs from it.
    """
    made = Composer.load(composer)
    (path,) = export_graphs([graph_of(made, seconds)], composer, format, tolerance)
    print(path)
