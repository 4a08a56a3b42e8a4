"""``oneleap export`` for voices: graphs for text, spectrogram and sound, to be run in turn."""

from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.export import Format, Graph, export_graphs
from oneleap.core.sampling.samplers import (
    ConsistencySampler,
    EulerSampler,
    FlowMapSampler,
    Sampler,
    with_steps,
)
from oneleap.core.types import Conditioned
from oneleap.domains.audio.vocoders.vocos_onnx import vocoder_graph
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.speech.models.acoustic import Acoustic
from oneleap.domains.speech.models.folded import Folded
from oneleap.domains.speech.voice.loading import ACOUSTIC
from oneleap.domains.speech.voice.voice import Voice


class Read(nn.Module):
    """What each token of one text sounds like on average, and the logarithm of its frames.

    Args:
        acoustic: Whose average speaks.
        speaker: Number of who does.
    """

    def __init__(self, acoustic: Acoustic, speaker: int) -> None:
        super().__init__()
        self.net, self.speaker = acoustic.average, speaker
        self.register_buffer("shares", acoustic.get_buffer("shares").clone())

    def forward(self, tokens: Int[Tensor, "l"]) -> Float[Tensor, "l _"]:
        """Means and, last, log frames."""
        mask = torch.ones_like(tokens, dtype=torch.bool).unsqueeze(0)
        who = torch.full((1,), self.speaker)
        encoded = self.net.encode(tokens.unsqueeze(0), mask, who, self.get_buffer("shares"))
        return torch.cat([encoded.means[0].T, encoded.log_frames[0].unsqueeze(1)], dim=1)


class Make(nn.Module):
    """A spectrogram of the means of its frames, and of noise.

    Args:
        acoustic: Whose average speaks.
        speaker: Number of who does.
        sampler: How.
    """

    def __init__(self, acoustic: Acoustic, speaker: int, sampler: Sampler) -> None:
        super().__init__()
        self.decoder, self.sampler = acoustic.average.decoder, sampler
        self.temperature = acoustic.temperature
        table = acoustic.average.speakers
        who = torch.zeros(0) if table is None else table.weight[speaker].detach().clone()
        self.register_buffer("who", who)

    def forward(
        self, means: Float[Tensor, "g fold mels"], noise: Float[Tensor, "g fold mels"]
    ) -> Float[Tensor, "g fold mels"]:
        """Normalised, in groups of frames."""
        who, mu = self.get_buffer("who").unsqueeze(0), means.flatten(0, 1).T.unsqueeze(0)
        cond = (mu, who) if who.shape[1] else (mu,)
        field = Conditioned(self.decoder, cond, tuple(torch.zeros_like(c) for c in cond))
        mel = self.sampler(field, self.temperature * noise.flatten(0, 1).T.unsqueeze(0))[0].T
        return mel.reshape(means.shape)


def fold_of(acoustic: Acoustic) -> int:
    """Frames of a group: what a graph's number of frames is a multiple of."""
    decoder = acoustic.average.decoder
    return decoder.fold if isinstance(decoder, Folded) else 1


def graphs_of(
    acoustic: Acoustic, *, speaker: int = 0, steps: int | None = None, seed: int = 0
) -> list[Graph]:
    """``text(tokens) -> text`` and ``decoder(means, noise) -> mel``.

    Raises:
        InputError: If the sampler draws noise in each step, or goes by a table of noise levels.
    """
    sampler = with_steps(acoustic.sampler, steps)
    once = isinstance(sampler, ConsistencySampler) and sampler.steps == 1
    if not (once or isinstance(sampler, FlowMapSampler | EulerSampler)):
        raise InputError(
            f"a {type(sampler).__name__} sampler of {sampler.steps} steps cannot be put into a "
            "graph: distil the model, or train one of few steps"
        )
    draws, spec = torch.Generator().manual_seed(seed), acoustic.spec
    net, fold = acoustic.average, fold_of(acoustic)

    def text(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        tokens = torch.randint(1, len(spec.symbols), (n,), generator=draws)
        who = torch.tensor([speaker])
        with torch.inference_mode():
            encoded = acoustic.speaking(tokens[None], torch.ones(1, n, dtype=torch.bool), who)
            wanted = torch.cat([encoded.means[0].T, encoded.log_frames.T], 1)
        return (tokens,), wanted

    def mel(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        means, noise = torch.randn((2, n, fold, spec.mel.n_mels), generator=draws)
        owner = torch.arange(n * fold)[None]
        mask = torch.ones(1, 1, n * fold, dtype=torch.bool)
        with torch.inference_mode():
            some = net.encode(torch.ones_like(owner), mask[0], torch.tensor([speaker]))
            flat = means.flatten(0, 1).T[None]
            field = net.field(some._replace(means=flat), owner, mask)
            some_noise = acoustic.temperature * noise.flatten(0, 1).T[None]
            wanted = sampler(field, some_noise)[0].T.reshape(means.shape)
        return (means, noise), wanted

    return [
        Graph("text", Read(acoustic, speaker).eval(), ("tokens",), "text", text),
        Graph("decoder", Make(acoustic, speaker, sampler).eval(), ("means", "noise"), "mel", mel),
    ]


def export(
    run: Path,
    format: Format = "onnx",
    steps: int | None = None,
    speaker: str | None = None,
    vocoder: Path | None = None,
    tolerance: float = 1e-3,
) -> None:
    """Write a voice as graphs that need no torch; ``examples/speak_onnx.py`` speaks with them.

    ``text`` makes of ``tokens`` (l,) what each sounds like on average and, in the last column, the
    logarithm of its frames; ``decoder`` makes of ``means`` and standard normal ``noise`` (g, fold,
    mels), frames in groups that the decoder sees as one, a spectrogram of that shape; ``vocoder``
    makes of ``mel`` (n, mels) ``samples`` (n, hop). Each is compared with the model in its own
    runtime, and timed; the card tells the result. A batch is tokens, groups or frames of one text.

    Example: oneleap export voices/mine

    Args:
        run: Folder of a voice, or of a run, then without a vocoder unless one is named.
        format: For ONNX Runtime, or for libtorch.
        steps: Of the sampler, by default the model's own number.
        speaker: Who speaks, where there are several.
        vocoder: Folder of another vocoder, or of a run.
        tolerance: Greatest difference from the model that is let pass.

    Raises:
        InputError: There is no voice in ``run``, or a graph differs from it.
    """
    voice = Voice.load(run, vocoder=vocoder)
    graphs = graphs_of(voice.acoustic, speaker=voice.who(speaker), steps=steps)
    if isinstance(voice.vocoder, Vocos):
        graphs.append(vocoder_graph(voice.vocoder))
    whole = (run / ACOUSTIC).is_dir() or (run / "config.json").is_file()
    folder = run if whole else run / "model"
    export_graphs(graphs, folder, format, tolerance)
    print(f"next: python examples/speak_onnx.py {folder} 'Hello.'" if len(graphs) == 3 else folder)
