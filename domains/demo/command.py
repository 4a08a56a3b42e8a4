"""``oneleap demo``: train a policy, speak, sing and compose, and write one page about it."""

import time
from pathlib import Path

from oneleap.core.errors import InputError

SCORE = Path(__file__).resolve().parents[2] / "examples" / "sakura.musicxml"
"""Score of the song; it lies in a clone and not in an installed package."""


def demo(
    run: Path = Path("runs/demo"),
    collect_steps: int = 1_000_000,
    bc_steps: int = 3_000,
    ofql_steps: int = 10_000,
    episodes: int = 50,
    seed: int = 0,
    score: Path = SCORE,
) -> None:
    """Train and evaluate a one-step policy, speak, sing, compose, and write a report.

    Example: oneleap demo

    Args:
        run: Folder of data, runs and report. Data that exist already are used again.
        collect_steps: Steps of data to collect.
        bc_steps: Gradient steps of behavior cloning.
        ofql_steps: Gradient steps of OFQL.
        episodes: Episodes of each evaluation at the end.
        seed: Seed of everything.
        score: Score with lyrics to sing.

    Raises:
        InputError: If there is no such score, or another process uses the folder.
    """
    if not score.is_file():
        raise InputError(f"score: {score}: no such file")
    from oneleap.core.training.run import claimed_folder

    with claimed_folder(run):
        _write_report(run, (collect_steps, bc_steps, ofql_steps, episodes, seed), score)


def _write_report(run: Path, settings: tuple[int, int, int, int, int], score: Path) -> None:
    """Make all parts, and write the page; see :func:`demo`."""
    from rich.console import Console

    from oneleap.core.cli.advice import next_line
    from oneleap.core.report import Section, Text, write_page
    from oneleap.domains.demo.parts import costs, music_part, song_part, voice_part
    from oneleap.domains.demo.policy import policy_part

    console, start, seed = Console(), time.monotonic(), settings[-1]
    parts = [policy_part(run, *settings)]
    console.print("\nvoice, song and music")
    parts += [voice_part(run, seed), song_part(score, run, seed), music_part(run, seed)]
    minutes = (time.monotonic() - start) / 60
    about = Text(
        "A policy that was trained just now, and a voice, a singer and a composer that ship with "
        f"oneleap. The table below counts the network calls of each. All of it took "
        f"{minutes:.1f} minutes."
    )
    page = run / "report.html"
    sections = [Section("What this is", [about]), costs(parts), *(p.section for p in parts)]
    write_page(page, "One network call from noise to a result", sections)
    console.print(f"report: {page} ({minutes:.1f} minutes in all)")
    print(next_line("speak", "Hello.", "-o", "hello.wav"))
