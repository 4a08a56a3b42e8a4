"""``oneleap voice clone``: a voice from recordings of a person."""

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from oneleap.core.errors import InputError

if TYPE_CHECKING:
    from oneleap.domains.speech.cloning.recordings import Clip


LANGUAGES = ("en-us", "en-gb")
"""Languages of recordings."""

SOURCE = "recordings.txt"
"""File in the training's folder that names the recordings."""


def clone(
    recordings: Path,
    out: Path = Path("my_voice"),
    from_: str = "heart",
    language: str = "en-us",
    transcribe: bool = False,
    asr_model: str | None = None,
    acoustic_steps: int | None = None,
    vocoder_steps: int | None = None,
    workers: int = 2,
    seed: int = 0,
) -> None:
    """Make a voice from 5 to 20 minutes of recordings of one person, in about half an hour.

    An interrupted clone goes on where it stopped when the command is given again. Ask the person
    whose voice it is.

    Example: oneleap voice clone my_recordings --from heart -o my_voice

    Args:
        recordings: Folder of recordings, with metadata.csv (name|text), with a .txt file beside
            each, or without texts; or a metadata.csv; or a single recording.
        out: Folder of the voice.
        from_: Name of a shipped voice, or folder of a voice, to start from; it must generate pitch.
        language: Language of the recordings, en-us or en-gb.
        transcribe: Recognize the texts, even where there are some. Recordings without texts are
            always recognized; this needs the extra eval.
        asr_model: Whisper model for this; by default whisper-base.
        acoustic_steps: Gradient steps of the acoustic model; by default those of speech/clone.
        vocoder_steps: Gradient steps of the vocoder; by default those of audio/clone.
        workers: Number of processes that estimate pitch.
        seed: Seed of all draws.

    Raises:
        InputError: If an option is out of range, there is too little speech, a text is missing, or
            the voice cannot be cloned.
    """
    if language not in LANGUAGES:
        raise InputError(f"language: must be {' or '.join(LANGUAGES)}, not '{language}'")
    counts = {"acoustic_steps": acoustic_steps, "vocoder_steps": vocoder_steps, "workers": workers}
    for option, count in counts.items():
        if count is not None and count < 1:
            raise InputError(f"{option}: must be at least 1, not {count}")
    if not recordings.expanduser().exists():
        raise InputError(f"{recordings}: no such file or folder")
    from oneleap.core.cli.advice import next_line
    from oneleap.core.hub.pretrained import CARD
    from oneleap.core.training.run import claimed_folder
    from oneleap.domains.speech.voice.loading import find_voice

    base = find_voice(from_)
    _require_pitch(base, from_)
    if (out / CARD).is_file():
        raise InputError(f"{out} holds a voice already: delete it, or name another folder")
    with claimed_folder(out, option="--out"):
        start = time.monotonic()
        data = out / "training" / "data"
        source = data.parent / SOURCE
        whose = str(recordings.expanduser().resolve())
        if source.is_file() and source.read_text(encoding="utf-8") != whose:
            raise InputError(
                f"{out} holds a clone of other recordings, {source.read_text(encoding='utf-8')}: "
                "name another folder with --out, or delete it"
            )
        if not (data / "metadata.csv").is_file():
            from oneleap.domains.speech.cloning.dataset import write_dataset

            clips = _clips(recordings, base, language, transcribe, asr_model)
            minutes = sum(clip.wave.seconds for clip in clips) / 60
            print(f"{len(clips)} clips, {minutes:.1f} minutes of speech", file=sys.stderr)
            data.parent.mkdir(parents=True, exist_ok=True)
            source.write_text(whose, encoding="utf-8")
            write_dataset(clips, data, workers)
        _train(base, out, language, (acoustic_steps, vocoder_steps), seed)
        _finish(base, from_, out, recordings)
        print(f"{out}: made in {(time.monotonic() - start) / 60:.1f} minutes")
        print(f"compare: {out / 'comparison.html'}")
    print(next_line("speak", "Hello.", "--voice", str(out), "-o", "hello.wav"))


def _require_pitch(base: Path, name: str) -> None:
    """Refuse a voice that generates no pitch: its parts cannot be trained by this command."""
    from oneleap.core.hub.pretrained import read_config
    from oneleap.domains.speech.voice.loading import ACOUSTIC, VOCODER

    parts = [base / part for part in (ACOUSTIC, VOCODER)]
    if not all(part.is_dir() for part in parts):
        raise InputError(f"from: {name} is not the folder of a voice: pack it with oneleap voice")
    if read_config(parts[0])["init_args"]["spec"]["init_args"].get("pitch") is None:
        raise InputError(f"from: {name} generates no pitch: start from heart")


def _clips(
    recordings: Path, base: Path, language: str, transcribe: bool, asr_model: str | None
) -> "list[Clip]":
    """Read the clips, recognizing the texts that are missing."""
    from importlib.util import find_spec

    from oneleap.core.hub.pretrained import read_config
    from oneleap.domains.speech.cloning.recordings import find_recordings, read_clips
    from oneleap.domains.speech.evaluation.recognition import Recognizer
    from oneleap.domains.speech.voice.loading import ACOUSTIC

    found = find_recordings(recordings)
    if transcribe:
        found = [item._replace(text=None) for item in found]
    unknown = sum(item.text is None for item in found)
    if unknown and find_spec("faster_whisper") is None:
        raise InputError(
            f"{recordings}: {unknown} of {len(found)} recordings have no text, and recognizing "
            "needs the extra eval: pip install 'oneleap[eval]', or write metadata.csv"
        )
    if unknown:
        print(f"recognizing the text of {unknown} recordings", file=sys.stderr)
    spec = read_config(base / ACOUSTIC)["init_args"]["spec"]["init_args"]
    rate = spec["mel"]["init_args"]["sample_rate"]
    recognizer = Recognizer(asr_model, language[:2])
    return read_clips(found, rate, recognizer if unknown else None)


def _train(
    base: Path, out: Path, language: str, steps: tuple[int | None, int | None], seed: int
) -> None:
    """Train the acoustic model, then the vocoder."""
    from oneleap.domains.speech.cloning import training

    work = out / "training"
    settings = training.acoustic_settings(base, work / "data", work / "cache", language)
    print("training the acoustic model", file=sys.stderr)
    training.train(training.ACOUSTIC_CONFIG, settings, work / "acoustic", seed, steps[0])
    print("training the vocoder", file=sys.stderr)
    settings = training.vocoder_settings(base, work / "data")
    training.train(training.VOCODER_CONFIG, settings, work / "vocoder", seed, steps[1])


def _finish(base: Path, name: str, out: Path, recordings: Path) -> None:
    """Write the page, then the voice; its card comes last."""
    from oneleap.domains.speech.cloning.page import pitch_hz, write_clone_page
    from oneleap.domains.speech.evaluation.held_out import load_held_out
    from oneleap.domains.speech.voice.voice import Voice

    work = out / "training"
    after = Voice.load(work / "acoustic", vocoder=work / "vocoder")
    held_out = load_held_out(work / "acoustic", after.acoustic, None)
    assert held_out is not None
    clips, seconds = len(held_out.data.utterances[0]), 0.0
    seconds = sum(u.features.shape[1] for u in held_out.data.utterances[0])
    seconds /= after.acoustic.spec.mel.frame_rate
    middle, spread = pitch_hz(held_out)
    about = [
        ("recordings", str(recordings)),
        ("clips used in training", f"{clips}, {seconds / 60:.1f} minutes"),
        ("clips held out", str(len(held_out.utterances))),
        ("pitch of those held out", f"{middle:.0f} Hz, +- {spread:.1f} semitones"),
        ("started from", name),
    ]
    write_clone_page(out / "comparison.html", Voice.load(base), after, held_out, about)
    lines = "".join(f"- {title}: {value}\n" for title, value in about)
    card = (
        f"# {out.name}\n\nA voice made from recordings with `oneleap voice clone`.\n\n{lines}\n"
        "Write here whose voice it is and what they allow.\n"
    )
    after.save(out, card=card)
