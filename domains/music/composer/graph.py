"""A composer as one graph: noise and tags to samples, for ONNX Runtime and torch.export."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.export import Graph
from oneleap.domains.audio.stft import hann
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.music.composer.composer import Composer


class InverseSTFT(nn.Module):
    """The inverse STFT of real and imaginary parts, as a matrix product and an overlap-add.

    It equals :func:`oneleap.domains.audio.stft.istft`. Runtimes lack the Fourier transform of
    complex numbers, but the inverse transform of a real signal is a matrix, which here includes
    the window. The number of frames is fixed, because the overlap of the windows is divided out.

    Args:
        vocoder: Vocoder whose format is used.
        frames: Number of frames of a clip.
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
        self.inverse_overlap: Tensor
        # A transposed convolution maps the bins of both parts to samples, and adds up the frames.
        self.register_buffer("kernel", torch.cat(kernels).float().unsqueeze(1), persistent=False)
        total = nn.functional.conv_transpose1d(
            torch.ones(1, 1, frames, dtype=torch.float64),
            window.square()[None, None],
            stride=spec.hop,
        )
        inverse = 1 / total.clamp(min=1e-8).float()
        self.register_buffer("inverse_overlap", inverse, persistent=False)

    def forward(
        self, real: Float[Tensor, "b bins n"], imaginary: Float[Tensor, "b bins n"]
    ) -> Float[Tensor, "b samples"]:
        """Return the samples, one hop per frame."""
        both = torch.cat([real, imaginary], dim=1)
        wave = nn.functional.conv_transpose1d(both, self.kernel, stride=self.hop)
        wave = wave * self.inverse_overlap
        first = (self.n_fft - self.hop) // 2
        samples: Tensor = wave[:, 0, first : first + self.frames * self.hop]
        return samples


class OneStepGenerator(nn.Module):
    """Generates clips of fixed length: the student's single step, then the vocoder.

    Args:
        composer: Composer whose student and vocoder are used.
        frames: Number of frames of a clip.

    Raises:
        InputError: If the composer has no student or no trained vocoder.
    """

    def __init__(self, composer: Composer, frames: int) -> None:
        super().__init__()
        student, vocoder = composer.student, composer.vocoder
        if student is None or not isinstance(vocoder, Vocos):
            raise InputError("only a composer with a student and a trained vocoder can be exported")
        self.net, self.vocoder = student.average, vocoder
        self.inverse = InverseSTFT(vocoder, frames)
        self.tagged = bool(composer.spec.tags)
        self.takes_scale, self.guided = student.guided, student.guided and self.tagged
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
        """Return the samples of clips.

        Args:
            noise: Standard normal noise.
            tags: Condition vectors, if the composer has tags.
            guidance: Guidance scales, if the student takes them and there are tags.
        """
        one, zero = torch.ones_like(noise[:, 0, 0]), torch.zeros_like(noise[:, 0, 0])
        cond = () if tags is None else (tags,)
        if self.takes_scale and guidance is None:
            guidance = one  # without tags, guidance has no effect
        mel = (noise - self.net(noise, zero, one, *cond, guidance=guidance)) * self.std + self.mean
        samples: Tensor = self.inverse(*self.vocoder.spectrum(mel))
        return samples


def composer_graph(composer: Composer, seconds: float, seed: int = 0) -> Graph:
    """Return the graph ``composer(noise[, tags][, guidance]) -> wave``.

    Args:
        composer: Composer with a student and a trained vocoder.
        seconds: Duration of a clip in seconds.
        seed: Seed of the random inputs on which the graph is checked.
    """
    frames = composer.frames(seconds)
    module = OneStepGenerator(composer, frames)
    generator = torch.Generator().manual_seed(seed)
    student = composer.student
    assert student is not None
    names = ["noise", *["tags"] * module.tagged, *["guidance"] * module.guided]

    def example(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        """Random inputs, and what the composer makes of them."""
        noise = composer.noise(n, seconds, generator)
        inputs: tuple[Tensor, ...] = (noise,)
        if module.tagged:
            shape = (n, len(composer.spec.tags))
            inputs += (torch.randint(0, 2, shape, generator=generator).float(),)
        if module.guided:
            inputs += (1 + 3 * torch.rand(n, generator=generator),)
        cond = inputs[1:2] if module.tagged else ()
        zero, one = torch.zeros(n), torch.ones(n)
        scale = inputs[2] if module.guided else one if module.takes_scale else None
        with torch.inference_mode():
            x = noise - student.average(noise, zero, one, *cond, guidance=scale)
            expected = composer.vocode(composer.denormalize(x))
        return inputs, expected

    return Graph("composer", module, tuple(names), "wave", example)
