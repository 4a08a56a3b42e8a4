"""A voice as graphs: text to mean features and durations, and noise to features."""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub.export import Graph
from oneleap.core.sampling.samplers import (
    ConsistencySampler,
    EulerSampler,
    FlowMapSampler,
    Sampler,
    with_steps,
)
from oneleap.core.types import Conditioned
from oneleap.domains.speech.models.acoustic import AcousticModel
from oneleap.domains.speech.models.folded import FoldedConvNeXt1d


class TextGraph(nn.Module):
    """Predicts the mean features and the log duration of each token of one text.

    Args:
        acoustic: The acoustic model; its averaged weights are used.
        speaker: Index of the speaker.
    """

    def __init__(self, acoustic: AcousticModel, speaker: int) -> None:
        super().__init__()
        self.net, self.speaker = acoustic.average, speaker
        self.register_buffer("mixing_weights", acoustic.get_buffer("mixing_weights").clone())

    def forward(self, tokens: Int[Tensor, "l"]) -> Float[Tensor, "l _"]:
        """Return mean features and, in the last column, log durations."""
        mask = torch.ones_like(tokens, dtype=torch.bool).unsqueeze(0)
        speaker = torch.full((1,), self.speaker)
        weights = self.get_buffer("mixing_weights")
        encoded = self.net.encode(tokens.unsqueeze(0), mask, speaker, weights)
        return torch.cat([encoded.means[0].T, encoded.log_durations[0].unsqueeze(1)], dim=1)


class DecoderGraph(nn.Module):
    """Generates features from the mean features of frames, and from noise.

    Args:
        acoustic: The acoustic model; its averaged weights are used.
        speaker: Index of the speaker.
        sampler: The sampler.
    """

    def __init__(self, acoustic: AcousticModel, speaker: int, sampler: Sampler) -> None:
        super().__init__()
        self.decoder, self.sampler = acoustic.average.decoder, sampler
        table = acoustic.average.speakers
        row = torch.zeros(0) if table is None else table.weight[speaker].detach().clone()
        self.register_buffer("speaker", row)
        scale = acoustic.noise_scale(None, None)
        self.register_buffer("scale", torch.as_tensor(scale).clone())

    def forward(
        self, means: Float[Tensor, "g fold c"], noise: Float[Tensor, "g fold c"]
    ) -> Float[Tensor, "g fold c"]:
        """Return normalized features, in groups of frames."""
        speaker, mu = self.get_buffer("speaker").unsqueeze(0), means.flatten(0, 1).T.unsqueeze(0)
        cond = (mu, speaker) if speaker.shape[1] else (mu,)
        field = Conditioned(self.decoder, cond, tuple(torch.zeros_like(c) for c in cond))
        scaled = self.get_buffer("scale") * noise.flatten(0, 1).T.unsqueeze(0)
        return self.sampler(field, scaled)[0].T.reshape(means.shape)


def frames_per_group(acoustic: AcousticModel) -> int:
    """Return the number of frames that the decoder sees as one."""
    decoder = acoustic.average.decoder
    return decoder.fold if isinstance(decoder, FoldedConvNeXt1d) else 1


def build_graphs(
    acoustic: AcousticModel, *, speaker: int = 0, steps: int | None = None, seed: int = 0
) -> list[Graph]:
    """Build the graphs ``text(tokens) -> text`` and ``decoder(means, noise) -> mel``.

    Args:
        acoustic: The acoustic model.
        speaker: Index of the speaker.
        steps: Number of steps of the sampler; by default the model's own.
        seed: Seed of the inputs on which graphs and model are compared.

    Returns:
        The two graphs.

    Raises:
        InputError: If the sampler draws noise in each step, or uses a table of noise levels.
    """
    sampler = with_steps(acoustic.sampler, steps)
    one_step = isinstance(sampler, ConsistencySampler) and sampler.steps == 1
    if not (one_step or isinstance(sampler, FlowMapSampler | EulerSampler)):
        raise InputError(
            f"a {type(sampler).__name__} of {sampler.steps} steps cannot be exported: distill the "
            "model, or train one of few steps"
        )
    generator, spec = torch.Generator().manual_seed(seed), acoustic.spec
    net, fold = acoustic.average, frames_per_group(acoustic)

    def draw_text(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        tokens = torch.randint(1, len(spec.symbols), (n,), generator=generator)
        index = torch.tensor([speaker])
        with torch.inference_mode():
            encoded = acoustic.encode(tokens[None], torch.ones(1, n, dtype=torch.bool), index)
            wanted = torch.cat([encoded.means[0].T, encoded.log_durations.T], 1)
        return (tokens,), wanted

    def draw_mel(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        means, noise = torch.randn((2, n, fold, spec.channels), generator=generator)
        owner = torch.arange(n * fold)[None]
        mask = torch.ones(1, 1, n * fold, dtype=torch.bool)
        with torch.inference_mode():
            encoded = net.encode(torch.ones_like(owner), mask[0], torch.tensor([speaker]))
            field = net.field(encoded._replace(means=means.flatten(0, 1).T[None]), owner, mask)
            scaled = acoustic.noise_scale(None, None) * noise.flatten(0, 1).T[None]
            wanted = sampler(field, scaled)[0].T.reshape(means.shape)
        return (means, noise), wanted

    text = TextGraph(acoustic, speaker).eval()
    decoder = DecoderGraph(acoustic, speaker, sampler).eval()
    return [
        Graph("text", text, ("tokens",), "text", draw_text),
        Graph("decoder", decoder, ("means", "noise"), "mel", draw_mel),
    ]
