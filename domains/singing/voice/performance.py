"""What a singer adds to a score: times of the phonemes, and pitch."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from oneleap.domains.singing.segments.manner import DEFAULT_MANNER, Manner
from oneleap.domains.singing.segments.segment import Curve, ScoreSegment
from oneleap.domains.singing.voice.singer import Singer

STEP_S = 0.005
"""Time between two values of the pitch, in seconds."""


@torch.inference_mode()
def perform(
    singer: Singer,
    segments: Sequence[ScoreSegment],
    seed: int = 0,
    manner: Manner = DEFAULT_MANNER,
) -> list[ScoreSegment]:
    """Give phrases durations and pitch, as they would be sung, and the numbers of the manner.

    Args:
        singer: The singer.
        segments: Phrases; see :meth:`Singer.prepare`.
        seed: Seed of the noise of the first phrase.
        manner: Vibrato, glides and scoops.

    Returns:
        Phrases that a ``.ds`` file holds completely.
    """
    found = []
    for i, segment in enumerate(segments):
        timed = segment if segment.ph_dur else singer.durations.add_durations(segment)
        f0 = singer.predict_f0(singer.predict_durations(timed), timed, seed + i, manner)
        pitch = f0[0].cpu().double().numpy()
        middle = (np.arange(len(pitch)) + 0.5) / singer.acoustic.spec.mel.frame_rate
        times = np.arange(round(timed.seconds / STEP_S)) * STEP_S
        curve = Curve(np.interp(times, middle, pitch), STEP_S)
        found.append(replace(timed, f0=curve, extra={**vars(manner), **segment.extra}))
    return found
