"""``oneleap evaluate`` for speech: how well voices are recognized, how they sound, and speed."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from json import dumps
from pathlib import Path

from rich.console import Console
from rich.table import Table

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.sampling.samplers import FlowMapSampler, with_steps
from oneleap.domains.audio.evaluation.plots import plot_spectrograms
from oneleap.domains.speech.evaluation.held_out import load_held_out
from oneleap.domains.speech.evaluation.measures import Candidate, measure, measure_sounds
from oneleap.domains.speech.evaluation.recognition import Recognizer
from oneleap.domains.speech.voice.voice import Voice

HARVARD = "harvard.txt"
"""Six lists of the Harvard sentences (IEEE, 1969), phonetically balanced; in no training data."""


def evaluate(
    run: Path,
    others: tuple[Path, ...] = (),
    steps: tuple[int, ...] = (),
    sentences: Path | None = None,
    limit: int = 60,
    vocoder: str | None = None,
    speaker: str | None = None,
    asr_model: str | None = None,
    seed: int = 0,
    json: Path | None = None,
) -> None:
    """Speak sentences that are in no training data, and measure the sounds.

    ``wer`` is the word error rate of a speech recognizer, with its 95 % interval. ``dnsmos`` is
    the predicted rating of listeners. ``mel_l1`` is the mean difference of natural-log mel
    spectrograms to recordings that training held out, at the timing of the recordings.
    ``acoustic_rtf`` is the time of the acoustic model and ``rtf`` the total time, one sentence at
    a time, divided by the duration of the sound. The recordings, and their copies by the vocoder,
    are measured for comparison. The command needs the extra ``eval``.

    Example: oneleap evaluate runs/speech/splitmeanflow_ljspeech/0 --steps [1,2]

    Args:
        run: Folder of the run; evaluation.json and spectrograms.png are written there.
        others: Runs or voices to compare with, such as the teacher; each at its own number of
            steps.
        steps: Numbers of steps of RUN; by default the model's own, or 1, 2 and 4 for a model with
            a flow-map sampler.
        sentences: Text file with one sentence per line; by default 60 Harvard sentences.
        limit: Largest number of sentences and of recordings.
        vocoder: Folder of a vocoder; by default the vocoder of a voice, or Griffin-Lim.
        speaker: Name of the speaker; by default the first one.
        asr_model: Folder or hub name of a Whisper model; by default whisper-base from two Python
            packages.
        seed: Seed of the noise.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: There is no such model, or there are no sentences.
    """
    if limit < 1:
        raise InputError(f"limit: {limit} is not positive")
    texts = read_sentences(sentences)[:limit]
    candidates = list(load_candidates([run, *others], steps, vocoder, speaker))
    first = candidates[0]
    recognizer = Recognizer(asr_model, first.voice.acoustic.spec.language[:2])
    found: dict[str, float] = {"sentences": float(len(texts)), "seed": float(seed)}
    table = Table("", "WER %", "95 %", "DNSMOS", "mel L1", "acoustic RTF", "RTF", title=str(run))

    def add(name: str, key: str, figures: dict[str, float]) -> None:
        found.update({f"{key}_{figure}": value for figure, value in figures.items()})
        table.add_row(name, *format_cells(figures))

    if first.held_out is not None:
        recordings = first.held_out.first(limit)
        n = len(recordings.utterances)
        sounds = recordings.waves()
        add(
            f"held-out recordings ({n})",
            "recordings",
            measure_sounds(recordings.texts, sounds, recognizer),
        )
        sounds = first.voice.vocode(recordings.mels)
        add(
            f"their copies by the vocoder ({n})",
            "copies",
            measure_sounds(recordings.texts, sounds, recognizer),
        )
    for candidate in candidates:
        figures = measure(candidate, texts, recognizer, speaker=speaker, seed=seed, limit=limit)
        add(str(candidate), candidate.key, figures)
    Console().print(table)
    if first.held_out is not None:
        plot_comparison(candidates, run / "spectrograms.png")
    for path in filter(None, (run / "evaluation.json", json)):
        with replacing(path) as temporary:
            temporary.write_text(dumps(found, indent=2) + "\n", encoding="utf-8")


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


def plot_comparison(candidates: Sequence[Candidate], path: Path) -> None:
    """Plot the longest held-out recording, and what each voice generates for its text."""
    drawn = {}
    for candidate in candidates:
        if candidate.held_out is not None:
            longest = max(candidate.held_out.utterances, key=lambda u: u.mel.shape[1])
            one = replace(candidate.held_out, utterances=[longest])
            drawn["recording"] = longest.mel
            drawn[str(candidate)] = one.synthesize(candidate.voice.acoustic, candidate.steps)[0]
    plot_spectrograms(drawn, candidates[0].voice.acoustic.spec.mel, path)
    print(f"picture: {path}")


def read_sentences(path: Path | None) -> list[str]:
    """Read a file with one sentence per line, by default the Harvard sentences.

    Raises:
        InputError: If the file cannot be read or is empty.
    """
    if path is None:
        text = (files("oneleap.domains.speech.evaluation") / HARVARD).read_text(encoding="utf-8")
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise InputError(f"sentences: {path} cannot be read ({reason})") from None
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise InputError(f"sentences: {path}: nothing to say: it is empty")
    return found


def format_cells(figures: dict[str, float]) -> list[str]:
    """Format the figures of a row of the table."""
    shown: dict[str, Callable[[float], str]] = {
        "wer": lambda x: f"{100 * x:.1f}",
        "dnsmos": lambda x: f"{x:.2f}",
        "mel_l1": lambda x: f"{x:.3f}",
        "acoustic_rtf": lambda x: f"{x:.4f}",
        "rtf": lambda x: f"{x:.4f}",
    }
    cells = [form(figures[name]) if name in figures else "" for name, form in shown.items()]
    interval = f"{100 * figures['wer_low']:.1f} to {100 * figures['wer_high']:.1f}"
    return [cells[0], interval, *cells[1:]]
