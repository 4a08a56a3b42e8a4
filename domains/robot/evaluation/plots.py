"""Videos of episodes, and a contact sheet with a row of frames for each."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.robot.evaluation.rollouts import (
    FRAME_INTERVAL,
    EpisodePlayer,
    Rollout,
    play_episodes,
)

COLUMNS = 6
"""Number of frames in a row of the contact sheet."""

MAX_ROWS = 12
"""Number of rows of the contact sheet at most."""

MAX_RECORDED = 3
"""Number of successes, and of failures, to record at most."""


def record_videos(
    player: EpisodePlayer, played: Mapping[int, Rollout], folder: Path, workers: int
) -> None:
    """Play some episodes again with a camera; write videos and a contact sheet.

    If images cannot be rendered, a line says why.

    Args:
        player: Settings of the evaluation.
        played: Outcomes by number of the episode.
        folder: Folder to write into.
        workers: Number of processes.
    """
    kinds = {True: "success", False: "failure"}
    chosen = {
        kind: [k for k in sorted(played) if played[k].success is kind and played[k].loop_ms][
            :MAX_RECORDED
        ]
        for kind in kinds
    }
    numbers = [k for kind in kinds for k in chosen[kind]]
    recording = replace(player, recorded=frozenset(numbers))
    try:
        recorded = dict(play_episodes(recording, numbers, min(workers, max(1, len(numbers)))))
    except InputError as error:
        print(f"no video: {error}")
        return
    for kind, name in kinds.items():
        episodes = [f for k in chosen[kind] if (f := recorded[k].frames) is not None]
        if episodes:
            write_video(episodes, folder / f"{name}.mp4")
            print(f"video: {folder / f'{name}.mp4'}")
    if any(rollout.frames is not None for rollout in recorded.values()):
        contact_sheet([*recorded.values()], folder / "rollouts.png", str(folder))
        print(f"picture: {folder / 'rollouts.png'}")


def write_video(episodes: Sequence[NDArray[np.uint8]], path: Path, hold: int = 5) -> None:
    """Write episodes one after the other as a video in real time.

    Args:
        episodes: Frames of each episode, (n, h, w, 3).
        path: File to write, ``.mp4``.
        hold: Number of times the last frame of each episode is repeated.
    """
    import imageio

    frames = [f for e in episodes for f in (*e, *[e[-1]] * hold)]
    with atomic_write(path) as temporary:
        imageio.mimwrite(temporary, frames, format="FFMPEG", fps=20 / FRAME_INTERVAL)


def contact_sheet(rollouts: Sequence[Rollout], path: Path, title: str) -> None:
    """Write an image with a row of frames for each episode; failures come first.

    Args:
        rollouts: Recorded rollouts.
        path: File to write, ``.png``.
        title: Title of the image.
    """
    shown = sorted(rollouts, key=lambda r: r.success)[:MAX_ROWS]
    figure = Figure(figsize=(1.4 * COLUMNS, 1.45 * len(shown) + 0.4), layout="constrained")
    panels = figure.subplots(len(shown), COLUMNS, squeeze=False)
    for row, rollout in zip(panels, shown, strict=True):
        if rollout.frames is None:
            continue
        chosen = np.linspace(0, len(rollout.frames) - 1, COLUMNS).round().astype(int)
        for panel, k in zip(row, chosen, strict=True):
            panel.imshow(rollout.frames[k])
            panel.set(xticks=[], yticks=[])
        row[0].set_ylabel("success" if rollout.success else "failure")
        row[-1].set_xlabel(f"{rollout.length} steps")
    figure.suptitle(title)
    with atomic_write(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")
