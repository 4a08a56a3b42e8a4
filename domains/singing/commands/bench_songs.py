"""``oneleap bench songs``: singers beside the synthesizers that taught them, judged in one run."""

from pathlib import Path
from typing import TYPE_CHECKING

from oneleap.core.errors import InputError

if TYPE_CHECKING:
    from oneleap.domains.singing.evaluation.panel import Sing, Take
    from oneleap.domains.singing.scores.score import Score
    from oneleap.domains.singing.voice.singer import Singer


def songs(
    voice: list[str] | None = None,
    teacher: bool = False,
    steps: tuple[int, ...] = (),
    limit: int | None = None,
    seed: int = 0,
    json: Path | None = None,
) -> None:
    """Let singers sing twenty songs each in their language, and judge all of them alike.

    The lyrics are real verses, the melodies are invented; no shipped singer was trained on them.
    ``wrong words`` is the word error rate of whisper-base, for Japanese the phoneme error rate,
    with its 95 % interval. ``OVRL`` and ``P.808`` are ratings that DNSMOS predicts. The command
    needs the extra ``eval``.

    Example: oneleap bench songs --voice song070 --limit 3

    Args:
        voice: Name or folder of a singer; may be given several times. By default, all that ship.
        teacher: Whether to judge the synthesizer that sang the training data, too. It needs the
            extra singing-data.
        steps: Numbers of network calls, each of which makes a row of every singer; by default the
            singer's own.
        limit: Number of songs; by default all.
        seed: Seed of the noise of the first song.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: There is no such singer, or its language has no songs.
    """
    if limit is not None and limit < 1:
        raise InputError(f"limit: {limit} is not positive")
    from functools import partial

    from rich.console import Console

    from oneleap.core.files import atomic_write
    from oneleap.domains.singing.evaluation.panel import (
        Figures,
        by_teacher,
        check_language,
        format_panel,
        judge,
    )
    from oneleap.domains.singing.voice.loading import shipped_singers
    from oneleap.domains.singing.voice.singer import Singer

    rows = dict[str, dict[str, Figures]]()
    for name in voice or list(shipped_singers()):
        singer = Singer.load(name)
        language = check_language(singer.acoustic.spec.language)
        found = rows.setdefault(language, {})
        if teacher and "teacher" not in found:
            found["teacher"] = judge("teacher", by_teacher(language), language, limit, seed)
        for n in steps or (singer.acoustic.sampler.steps,):
            title = f"{name}, {n} call{'s' if n > 1 else ''}"
            sing: Sing = partial(_sing, singer, n)
            found[title] = judge(title, sing, language, limit, seed)
        if json is not None:
            import json as codec

            with atomic_write(json) as path:
                path.write_text(codec.dumps(rows, indent=2) + "\n", encoding="utf-8")
    for key, table in rows.items():
        Console().print(format_panel(table, check_language(key)))


def _sing(singer: "Singer", steps: int, score: "Score", seed: int) -> "Take":
    from oneleap.domains.singing.evaluation.panel import Take
    from oneleap.domains.singing.lyrics.phonemizer import Phonemizer
    from oneleap.domains.singing.scores.phrasing import score_to_segments

    phonemizer = Phonemizer.of_language(singer.acoustic.spec.language)
    phrases = [
        singer.durations.add_durations(segment) for segment in score_to_segments(score, phonemizer)
    ]
    return Take(singer.sing(phrases, steps=steps, seed=seed), phrases)
