"""``oneleap evaluate`` for speech: what a recogniser understands, and how it sounds."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from json import dumps
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.sampling.samplers import FlowMapSampler, with_steps
from oneleap.domains.audio.evaluation.dnsmos import dnsmos
from oneleap.domains.audio.evaluation.plots import plot_spectrograms
from oneleap.domains.audio.wave import Wave, concatenate
from oneleap.domains.speech.data.held_out import Held, held_out
from oneleap.domains.speech.evaluation.recognition import Recogniser, error_rate
from oneleap.domains.speech.text.symbols import ids
from oneleap.domains.speech.voice.voice import PAUSE_S, Voice

HARVARD = "harvard.txt"
"""Six lists of the Harvard sentences (IEEE, 1969), phonetically balanced; in no training data."""


@dataclass(frozen=True)
class Row:
    """One model at one number of steps.

    Attributes:
        name: Of its folder.
        voice: The model and its vocoder.
        steps: Of its sampler.
        held: Recordings set aside when it was trained, if they are at hand.
    """

    name: str
    voice: Voice
    steps: int
    held: Held | None

    def __str__(self) -> str:
        return f"{self.name}, {self.steps} step{'s' if self.steps > 1 else ''}"

    @property
    def key(self) -> str:
        """What its figures' names begin with."""
        return f"{self.name}_{self.steps}"


def command(
    run: Path,
    others: tuple[Path, ...] = (),
    steps: tuple[int, ...] = (),
    sentences: Path | None = None,
    most: int = 60,
    vocoder: str | None = None,
    speaker: str | None = None,
    judge: str | None = None,
    seed: int = 0,
    json: Path | None = None,
) -> None:
    """Say sentences that no training has seen, and judge how they are understood and sound.

    ``wer`` is the word error rate of a recogniser with its 95 % interval, ``dnsmos`` a network's
    opinion of the sound, ``mel_l1`` the mean difference of natural-log spectrograms to recordings
    that were set aside in training, timed as they are; ``acoustic_rtf`` and ``rtf`` are the time
    of the acoustic model and of all, one sentence at a time, over the length of the sound. Models
    stand side by side, with the recordings and their copies by the vocoder. Needs the extra
    ``eval``.

    Example: oneleap evaluate runs/speech/splitmeanflow_ljspeech/0 --steps [1,2]

    Args:
        run: Folder of the run; ``evaluation.json`` and ``spectrograms.png`` are written there.
        others: Runs or voices beside it, its teacher say; each at its own number of steps.
        steps: Of ``run``; by default its own number, 1, 2 and 4 for a model that leaps.
        sentences: Text file, a sentence a line; by default 60 Harvard sentences.
        most: Sentences said, and recordings heard.
        vocoder: Folder of a vocoder; Griffin-Lim if neither it nor a voice has one.
        speaker: Who speaks, where there are several.
        judge: Folder or hub name of a Whisper model, by default whisper-base of two packages.
        seed: Of the noise.
        json: Also write the figures to this file, name -> number.

    Raises:
        InputError: There is no such model, or nothing to say.
    """
    if most < 1:
        raise InputError(f"most: {most} is not positive")
    said = read_sentences(sentences)[:most]
    rows = list(models([run, *others], steps, vocoder, speaker))
    listener = Recogniser(judge, rows[0].voice.acoustic.spec.language[:2])
    found: dict[str, float] = {"sentences": float(len(said)), "seed": float(seed)}
    table = Table("", "WER %", "95 %", "DNSMOS", "mel L1", "acoustic RTF", "RTF", title=str(run))

    def add(name: str, key: str, figures: dict[str, float]) -> None:
        found.update({f"{key}_{figure}": value for figure, value in figures.items()})
        table.add_row(name, *cells(figures))

    held = rows[0].held
    if held is not None:
        held = held.first(most)
        copied = Voice(rows[0].voice.acoustic, rows[0].voice.vocoder)
        for name, key, sounds in (
            ("recordings set aside", "recordings", held.waves),
            ("their copies by the vocoder", "copies", lambda: copied.sound(held.mels)),
        ):
            add(f"{name} ({len(held.clips)})", key, heard(held.texts, sounds(), listener))
    for row in rows:
        add(str(row), row.key, figures_of(row, said, listener, speaker, seed, most))
    Console().print(table)
    if held is not None:
        draw(rows, run / "spectrograms.png")
    for path in filter(None, (run / "evaluation.json", json)):
        with replacing(path) as temporary:
            temporary.write_text(dumps(found, indent=2) + "\n", encoding="utf-8")


def draw(rows: Sequence[Row], path: Path) -> None:
    """A picture of the longest recording set aside, and of what each model makes of its text."""
    drawn = {}
    for row in rows:
        if row.held is not None:
            (clip,) = longest = [max(row.held.clips, key=lambda clip: clip.mel.shape[1])]
            one = replace(row.held, clips=longest)
            drawn["recording"] = clip.mel
            drawn[str(row)] = one.made(row.voice.acoustic, row.steps)[0]
    plot_spectrograms(drawn, rows[0].voice.acoustic.spec.mel, path)
    print(f"picture: {path}")


def models(
    runs: Sequence[Path], steps: Sequence[int], vocoder: str | None, speaker: str | None
) -> Iterator[Row]:
    """All models at all their numbers of steps."""
    names = told_apart(runs)
    for i, run in enumerate(runs):
        voice = Voice.load(run, vocoder=vocoder)
        model = voice.acoustic
        voice.who(speaker)
        own = (
            (1, 2, 4)
            if isinstance(model.sampler, FlowMapSampler) and not i
            else (model.sampler.steps,)
        )
        held = held_out(run, model, speaker)
        for k in steps if steps and not i else own:
            with_steps(model.sampler, k)
            yield Row(names[i], voice, k, held)


def told_apart(folders: Sequence[Path]) -> list[str]:
    """Names of folders, with so many folders above them that no two are the same."""
    parts = [folder.resolve().parts for folder in folders]
    n = 1
    while len({p[-n:] for p in parts}) < len(set(parts)):
        n += 1
    return ["/".join(p[-n:]) for p in parts]


def figures_of(
    row: Row, said: Sequence[str], listener: Recogniser, speaker: str | None, seed: int, most: int
) -> dict[str, float]:
    """All figures of one model at one number of steps."""
    waves, acoustic_s, all_s = timed(row, said, speaker, seed)
    found = heard(said, waves, listener)
    if row.held is not None:
        found["mel_l1"] = row.held.first(most).distance(row.voice.acoustic, row.steps)
    seconds = sum(wave.seconds for wave in waves)
    return found | {"acoustic_rtf": acoustic_s / seconds, "rtf": all_s / seconds}


def timed(
    row: Row, said: Sequence[str], speaker: str | None, seed: int
) -> tuple[list[Wave], float, float]:
    """Sounds, and seconds that spectrograms and all together took."""
    voice, who = row.voice, row.voice.who(speaker)
    reader, symbols = voice.reader(), voice.acoustic.spec.symbols
    voice.acoustic.synthesise([ids("a.", symbols)], speaker=who, steps=row.steps)
    waves, acoustic_s, all_s = [], 0.0, 0.0
    for i, text in enumerate(track(said, str(row), console=Console(stderr=True))):
        start, parts = time.perf_counter(), []
        for sentence in reader.sentences(text, f"sentence {i + 1}"):
            tokens, begun = ids(sentence, symbols), time.perf_counter()
            mels = voice.acoustic.synthesise(
                [tokens], speaker=who, steps=row.steps, seeds=[seed + i]
            )
            acoustic_s += time.perf_counter() - begun
            parts += voice.sound(mels)
        waves.append(concatenate(parts, PAUSE_S))
        all_s += time.perf_counter() - start
    return waves, acoustic_s, all_s


def heard(said: Sequence[str], waves: Sequence[Wave], listener: Recogniser) -> dict[str, float]:
    """Word error rate and DNSMOS."""
    rate = error_rate(said, [listener(wave) for wave in waves])
    mos = sum(dnsmos(wave) for wave in waves) / len(waves)
    return {"wer": rate.rate, "wer_low": rate.low, "wer_high": rate.high, "dnsmos": mos}


def read_sentences(path: Path | None) -> list[str]:
    """A sentence a line.

    Raises:
        InputError: If the file cannot be read or is empty.
    """
    if path is None:
        text = (files("oneleap.domains.speech") / HARVARD).read_text(encoding="utf-8")
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise InputError(f"sentences: {path} cannot be read ({reason})") from None
    found = [line.strip() for line in text.splitlines() if line.strip()]
    if not found:
        raise InputError(f"sentences: {path}: nothing to say: it is empty")
    return found


def cells(figures: dict[str, float]) -> list[str]:
    """A row of the table."""
    shown: dict[str, Callable[[float], str]] = {
        "wer": lambda x: f"{100 * x:.1f}",
        "range": str,
        "dnsmos": lambda x: f"{x:.2f}",
        "mel_l1": lambda x: f"{x:.3f}",
        "acoustic_rtf": lambda x: f"{x:.4f}",
        "rtf": lambda x: f"{x:.4f}",
    }
    found = [form(figures[name]) if name in figures else "" for name, form in shown.items()]
    found[1] = f"{100 * figures['wer_low']:.1f} to {100 * figures['wer_high']:.1f}"
    return found
