"""Data that the pages of the documentation assume, made tiny."""

from pathlib import Path

import numpy as np


def write_lift(path: Path) -> None:
    """Demonstrations of robosuite's Lift, with its observations."""
    from support.tiny_robot import ENV_ARGS

    from oneleap.domains.robot import Demonstration, write_demos

    g, n = np.random.default_rng(0), 30
    sizes = {"object": 10, "robot0_eef_pos": 3, "robot0_eef_quat": 4, "robot0_gripper_qpos": 2}
    demos = [
        Demonstration(
            states=g.normal(size=(n, 5)),
            actions=g.uniform(-1, 1, (n, 7)),
            actions_abs=g.uniform(-1, 1, (n, 7)),
            rewards=np.zeros(n),
            obs={key: g.normal(size=(n + 1, size)) for key, size in sizes.items()},
            model_xml="<mujoco/>",
        )
        for _ in range(3)
    ]
    write_demos(path, ENV_ARGS, demos)


def write_ljspeech(folder: Path) -> None:
    """Recordings with transcripts in English, in LJSpeech's layout."""
    import soundfile
    from support.tiny_speech import RATE, tone

    (folder / "wavs").mkdir(parents=True)
    lines = []
    for i in range(12):
        soundfile.write(folder / "wavs" / f"c{i}.wav", tone(1.5, 110 + 20 * i), RATE)
        lines.append(f"c{i}|The tone number {i}.")
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_tunes(folder: Path) -> None:
    """Pieces of music with two tags, each longer than a clip."""
    from support.tiny_music import write_pieces

    write_pieces(folder, seconds=7.0, rate=22_050)
