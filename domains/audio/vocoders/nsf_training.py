"""Training of an NSF vocoder on recordings with pitch."""

from typing import Any

import torch
from torch import Tensor, nn

from oneleap.core.training.seed import step_generator
from oneleap.domains.audio.data.pitched import PitchedClip
from oneleap.domains.audio.mel import Mel, log_mel
from oneleap.domains.audio.vocoders.nsf import NSF
from oneleap.domains.audio.vocoders.training import VocoderTraining


class NSFTraining(VocoderTraining):
    """Trains an NSF with the losses and arguments of ``VocoderTraining``; saves an ``NSF``.

    A batch is a :class:`~oneleap.domains.audio.data.pitched.PitchedClip`. The source noise is a
    function of seed and step.
    """

    @staticmethod
    def build(spec: Mel, width: int, hidden: int, depth: int) -> NSF:
        """See :meth:`VocoderTraining.build`."""
        return NSF(spec, width, hidden, depth)

    def resynthesize(self, vocoder: nn.Module, batch: Any, step: int) -> tuple[Tensor, Tensor]:
        """See :meth:`VocoderTraining.resynthesize`."""
        assert isinstance(batch, PitchedClip)
        stream = 5 + 1000 * self.global_rank
        generator = step_generator(self.seed, step, stream, batch.wave.device)
        noise = torch.randn(batch.wave.shape, generator=generator, device=batch.wave.device)
        return batch.wave, vocoder(log_mel(batch.wave, self.spec), batch.f0, noise)
