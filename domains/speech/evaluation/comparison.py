"""Voices side by side: loading, the table of their figures, and a plot of spectrograms."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.table import Table

from oneleap.core.sampling.samplers import FlowMapSampler, with_steps
from oneleap.domains.audio.evaluation.plots import plot_spectrograms
from oneleap.domains.speech.evaluation.held_out import load_held_out
from oneleap.domains.speech.evaluation.measures import (
    Candidate,
    measure,
    measure_sounds,
)
from oneleap.domains.speech.evaluation.recognition import Recognizer
from oneleap.domains.speech.voice.voice import Voice


def load_candidates(
    runs: Sequence[Path], steps: Sequence[int], vocoder: str | None, speaker: str | None
) -> Iterator[Candidate]:
    """Load all voices, each once per number of steps.

    Args:
        runs: Folders of runs or voices. The first is the one under test.
        steps: Numbers of steps of the first; by default its own, or 1, 2 and 4 for a flow map.
        vocoder: Folder of a vocoder.
        speaker: Name of the speaker; by default the first one.

    Yields:
        The voices.
    """
    names = distinct_names(runs)
    for i, run in enumerate(runs):
        voice = Voice.load(run, vocoder=vocoder)
        model = voice.acoustic
        voice.speaker_index(speaker)
        numbers: Sequence[int] = (model.sampler.steps,)
        if i == 0:
            numbers = steps or ((1, 2, 4) if isinstance(model.sampler, FlowMapSampler) else numbers)
        held_out = load_held_out(run, model, speaker)
        for n in numbers:
            with_steps(model.sampler, n)
            yield Candidate(names[i], voice, n, held_out)


def distinct_names(folders: Sequence[Path]) -> list[str]:
    """Name folders by as many of their last parts as it takes to tell them apart."""
    parts = [folder.resolve().parts for folder in folders]
    n = 1
    while len({p[-n:] for p in parts}) < len(set(parts)):
        n += 1
    return ["/".join(p[-n:]) for p in parts]


def measure_all(
    candidates: Sequence[Candidate],
    sentences: Sequence[str],
    recognizer: Recognizer,
    *,
    speaker: str | None,
    seed: int,
    limit: int,
) -> dict[tuple[str, str], dict[str, float]]:
    """Measure all voices, and the held-out recordings of the first.

    Args:
        candidates: The voices.
        sentences: Sentences to speak.
        recognizer: The speech recognizer.
        speaker: Name of the speaker; by default the first one.
        seed: Seed of the noise of the first sentence.
        limit: Largest number of held-out recordings.

    Returns:
        Figures by the title of a row and the prefix of its figures' names. Rows are the
        recordings, their copies by the vocoder, and the voices.
    """
    found, held_out = {}, candidates[0].held_out
    if held_out is not None:
        recordings = held_out.first(limit)
        n, texts = len(recordings.utterances), recordings.texts
        found[f"held-out recordings ({n})", "recordings"] = measure_sounds(
            texts, recordings.waves(), recognizer
        )
        found[f"their copies by the vocoder ({n})", "copies"] = measure_sounds(
            texts, candidates[0].voice.vocode(recordings.features), recognizer
        )
    for candidate in candidates:
        found[str(candidate), candidate.key] = measure(
            candidate, sentences, recognizer, speaker=speaker, seed=seed, limit=limit
        )
    return found


def format_table(rows: Mapping[str, Mapping[str, float]], title: str) -> Table:
    """Format figures for the screen.

    Args:
        rows: Figures by the title of their row.
        title: Title of the table.

    Returns:
        The table.
    """
    shown: dict[str, Callable[[float], str]] = {
        "wer": lambda x: f"{100 * x:.1f}",
        "dnsmos": lambda x: f"{x:.2f}",
        "mel_l1": lambda x: f"{x:.3f}",
        "acoustic_rtf": lambda x: f"{x:.4f}",
        "rtf": lambda x: f"{x:.4f}",
    }
    table = Table("", "WER %", "95 %", "DNSMOS", "mel L1", "acoustic RTF", "RTF", title=title)
    for name, figures in rows.items():
        cells = [form(figures[key]) if key in figures else "" for key, form in shown.items()]
        interval = f"{100 * figures['wer_low']:.1f} to {100 * figures['wer_high']:.1f}"
        table.add_row(name, cells[0], interval, *cells[1:])
    return table


def plot_comparison(candidates: Sequence[Candidate], path: Path) -> None:
    """Plot the longest held-out recording, and what each voice generates for its text."""
    drawn = {}
    for candidate in candidates:
        if candidate.held_out is not None:
            longest = max(candidate.held_out.utterances, key=lambda u: u.features.shape[1])
            one = replace(candidate.held_out, utterances=[longest])
            mels = candidate.voice.acoustic.spec.mel.n_mels
            drawn["recording"] = longest.features[:mels]
            (found,) = one.synthesize(candidate.voice.acoustic, candidate.steps)
            drawn[str(candidate)] = found[:mels]
    plot_spectrograms(drawn, candidates[0].voice.acoustic.spec.mel, path)
