"""Films of episodes, and a sheet with a row of pictures of each."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from oneleap.core.files import replacing
from oneleap.domains.robot.evaluation.rollouts import EVERY, Rollout

COLUMNS = 6
ROWS = 12


def film(episodes: Sequence[NDArray[np.uint8]], path: Path, hold: int = 5) -> None:
    """Write episodes one after the other as a film, at the speed of life.

    Args:
        episodes: Pictures, (n, h, w, 3) each.
        path: Of the film, ``.mp4``.
        hold: How often the last picture of each is shown.
    """
    import imageio

    frames = [f for e in episodes for f in (*e, *[e[-1]] * hold)]
    with replacing(path) as temporary:
        imageio.mimwrite(temporary, frames, format="FFMPEG", fps=20 / EVERY)


def contact_sheet(rollouts: Sequence[Rollout], path: Path, title: str) -> None:
    """Write a picture: a row an episode, from its beginning to its end; failures first.

    Args:
        rollouts: Filmed ones.
        path: Of the picture, ``.png``.
        title: Above it.
    """
    shown = sorted(rollouts, key=lambda r: r.success)[:ROWS]
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
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=100, format="png")
