"""Training of a source-filter vocoder: recordings, and the pitch that was sung."""

from typing import Any

import torch
from torch import Tensor, nn

from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.data.pitched import Sung
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.audio.vocoders.training import VocoderTraining


class NSFTraining(VocoderTraining):
    """An NSF under the losses and arguments of ``VocoderTraining``; saved as an ``NSF``.

    Batches are :class:`~oneleap.domains.audio.data.pitched.Sung`. The noise of the source is a function of
    seed and step.
    """

    @staticmethod
    def build(spec: Mel, width: int, hidden: int, depth: int) -> NSF:
        """See :meth:`VocoderTraining.build`."""
        return NSF(spec, width, hidden, depth)

    def remade(self, vocoder: nn.Module, batch: Any, step: int) -> tuple[Tensor, Tensor]:
        """See :meth:`VocoderTraining.remade`."""
        assert isinstance(batch, Sung)
        stream = 5 + 1000 * self.global_rank
        generator = step_generator(self.seed, step, stream, batch.wave.device)
        noise = torch.randn(batch.wave.shape, generator=generator, device=batch.wave.device)
        return batch.wave, vocoder(log_mel(batch.wave, self.spec), batch.f0, noise)
