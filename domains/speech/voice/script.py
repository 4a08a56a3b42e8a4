"""What a voice says line by line: phonemes, manner and pauses, of plain text or of SSML."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave
from oneleap.domains.speech.text.frontend import FrontEnd
from oneleap.domains.speech.text.sentences import PARAGRAPH, PAUSE_S
from oneleap.domains.speech.text.ssml import Prosody, is_ssml, parse_ssml

CUT_S = 0.2
"""Longest silence inside a sentence that was too long for one line, in seconds."""

BATCH_FRAMES = 4000
"""Largest number of frames of a batch, with padding: about 20 MB per layer."""

FRAMES_PER_TOKEN = 6
"""Assumed number of frames of a token, for the size of batches."""


@dataclass(frozen=True)
class Line:
    """A sentence or a part of one.

    Attributes:
        ipa: Its phonemes.
        prosody: How it is spoken.
        before_s: Silence before it, in seconds.
        after_s: Silence after it, in seconds.
    """

    ipa: str
    prosody: Prosody = field(default_factory=Prosody)
    before_s: float = 0.0
    after_s: float = 0.0

    def finish(self, wave: Wave) -> Iterator[Wave]:
        """Yield the spoken line at its volume, with its silences around it."""
        for pause, sound in ((self.before_s, wave), (self.after_s, None)):
            if pause > 0:
                yield Wave(np.zeros(round(pause * wave.sample_rate), np.float32), wave.sample_rate)
            if sound is not None:
                yield self.louder(sound)

    def louder(self, wave: Wave) -> Wave:
        """Return a sound at the volume of this line."""
        if self.prosody.volume == 0:
            return wave
        gain = np.float32(10 ** (self.prosody.volume / 20))
        return Wave(np.clip(gain * wave.samples, -1, 1), wave.sample_rate)


def script_lines(
    front_end: FrontEnd, text: str, where: str = "text", pause_s: float = PAUSE_S
) -> list[Line]:
    """Convert a text to lines.

    Args:
        front_end: The text front end.
        text: Plain text, or SSML if it begins with ``<speak``.
        where: Origin of the text, for messages.
        pause_s: Silence between sentences in seconds. Between paragraphs it is
            :data:`PARAGRAPH` times as long. Where SSML says how long a pause is, it stays so.

    Returns:
        The lines, with a pause after each sentence but the last.

    Raises:
        InputError: If there is no word to say, or the SSML is wrong.
    """
    if front_end.ipa or not is_ssml(text):
        lines = list[Line]()
        for found in front_end.phonetic_paragraphs(text, where):
            lines += [Line(ipa, after_s=_pause(ipa, pause_s)) for ipa in found]
            lines[-1] = replace(lines[-1], after_s=PARAGRAPH * pause_s)
        return [*lines[:-1], replace(lines[-1], after_s=0.0)]
    lines, silence = list[Line](), 0.0
    pieces = parse_ssml(text, where, pause_s)
    for i, piece in enumerate(pieces):
        found = []
        if any(c.isalnum() for c in piece.text):
            found = front_end.phonetic_sentences(piece.text, where)
        for ipa in found:
            after_s = _pause(ipa, pause_s) if _ended(ipa) or ipa is not found[-1] else 0.0
            lines.append(Line(ipa, piece.prosody, silence, after_s))
            silence = 0.0
        pause = piece.pause_s
        if pause is None and i + 1 == len(pieces):
            pause = 0.0
        if pause is not None and lines:
            lines[-1] = replace(lines[-1], after_s=pause if found else lines[-1].after_s + pause)
        elif pause is not None:
            silence += pause
    if not lines:
        raise InputError(f"{where}: nothing to say: the SSML has no word")
    return lines


def _ended(ipa: str) -> bool:
    """Return whether a line ends a sentence."""
    return ipa.rstrip("\"'”)")[-1:] in (".", "!", "?", "…")


def _pause(ipa: str, pause_s: float) -> float:
    """Return the silence after a line: a short one where a long sentence was cut."""
    return pause_s if _ended(ipa) else min(pause_s, CUT_S)


def join_lines(lines: Sequence[Line], waves: Sequence[Wave]) -> Wave:
    """Join spoken lines, with their silences."""
    parts = [part for line, w in zip(lines, waves, strict=True) for part in line.finish(w)]
    return Wave(np.concatenate([part.samples for part in parts]), waves[0].sample_rate)


def similar_texts(lengths: Sequence[int], speeds: Sequence[float]) -> Iterator[list[int]]:
    """Group texts of one tempo and similar lengths, with about :data:`BATCH_FRAMES` frames each.

    Args:
        lengths: Number of tokens of each text.
        speeds: Factor of the tempo of each text.

    Yields:
        Indices of texts.
    """
    batch = list[int]()
    for i in sorted(range(len(lengths)), key=lambda i: (speeds[i], lengths[i])):
        frames = FRAMES_PER_TOKEN * lengths[i] / speeds[i]  # of the longest text so far
        other = batch and speeds[batch[0]] != speeds[i]
        if batch and (other or (len(batch) + 1) * frames > BATCH_FRAMES):
            yield batch
            batch = []
        batch.append(i)
    if batch:
        yield batch
