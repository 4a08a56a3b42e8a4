"""What a singer would sing, without singing it: notes and phonemes with their times."""

from collections.abc import Sequence

from oneleap.core.errors import InputError
from oneleap.domains.singing.data.batches import phoneme_tokens
from oneleap.domains.singing.models.durations import DurationModel
from oneleap.domains.singing.segments.phonemes import spell_phonemes
from oneleap.domains.singing.segments.segment import ScoreSegment
from oneleap.domains.singing.segments.timing import check_length
from oneleap.domains.singing.segments.transforms import change_tempo, transpose
from oneleap.domains.singing.voice.loading import (
    DEFAULT,
    DURATIONS,
    find_singer,
    load_part,
    shipped_singers,
)


def time_phonemes(
    segments: Sequence[ScoreSegment], voice: str | None, *, key: float = 0.0, tempo: float = 1.0
) -> tuple[list[ScoreSegment], str]:
    """Give phrases the durations of phonemes that a singer would give them.

    Args:
        segments: Phrases.
        voice: Name or folder of the singer; by default the one that ships, if one does.
        key: Semitones by which the phrases are transposed.
        tempo: Tempo factor.

    Returns:
        The phrases, and why they have no durations, if that is so.

    Raises:
        InputError: The song is too long, or there is no such singer.
    """
    moved = [change_tempo(transpose(s, key), tempo) for s in segments]
    check_length(moved)
    if all(segment.ph_dur for segment in moved):
        return moved, ""
    if voice is None and DEFAULT not in shipped_singers():
        return moved, "no singer ships with this installation: name one with --voice"
    model = load_part(find_singer(voice or DEFAULT), DURATIONS, DurationModel)
    spelled = [spell_phonemes(s, model.spec.phonemes) for s in moved]
    try:
        for segment in spelled:
            phoneme_tokens(segment, model.spec)
    except InputError as error:
        return moved, str(error).partition(" (known:")[0]
    return [s if s.ph_dur else model.add_durations(s) for s in spelled], ""
