"""The graph of a singer's vocoder, with openvpi's inputs and output."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.audio.vocoders.nsf_onnx import NSFGraph
from oneleap.domains.audio.vocoders.source_filter_onnx import SourceFilterGraph
from oneleap.domains.singing.spec import Spec
from oneleap.domains.singing.voice.vocoding import SongVocoder


class VoicedVocoderGraph(nn.Module):
    """Graph ``vocoder`` from the output of the acoustic graph and f0 (1, n) to a waveform.

    openvpi's format has no voicing. So it is the last band of ``mel``, which hosts pass on.

    Args:
        graph: Graph of the vocoder alone.
        spec: Spec of the acoustic model.
    """

    def __init__(self, graph: SourceFilterGraph, spec: Spec) -> None:
        super().__init__()
        self.alone, self.spec = graph, spec  # torch.export keeps the name "graph" for itself

    def forward(
        self, mel: Float[Tensor, "1 n c"], f0: Float[Tensor, "1 n"]
    ) -> Float[Tensor, "1 samples"]:
        """Samples, ``n * hop`` of them."""
        spec = self.spec.mel
        x = (mel[0] - spec.mean) / spec.std
        pitch = torch.where(x[:, spec.n_mels] > 0, f0[0], 0.0)
        samples: Tensor = self.alone(x[:, : spec.n_mels], pitch)
        return samples.reshape(1, -1)


def vocoder_graph(vocoder: SongVocoder, spec: Spec, seed: int) -> nn.Module:
    """Make the graph of a singer's vocoder.

    Args:
        vocoder: The vocoder.
        spec: Spec of the acoustic model.
        seed: Seed of the noise table.

    Returns:
        A module with openvpi's inputs and output.
    """
    if isinstance(vocoder, NSF):
        return NSFGraph(vocoder, seed)
    return VoicedVocoderGraph(SourceFilterGraph(vocoder, seed), spec)
