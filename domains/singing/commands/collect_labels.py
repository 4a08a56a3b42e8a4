"""``oneleap collect labels``: convert recordings with HTS labels to openvpi's layout."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.domains.audio.wave import find_audio_files, read_wave
from oneleap.domains.singing.data.recordings import (
    STEP_S,
    TABLE,
    cut_song,
    write_recording,
    write_table,
)
from oneleap.domains.singing.lyrics.phonemizer import SYLLABIC, read_dictionary
from oneleap.domains.singing.segments.hts import read_labels
from oneleap.domains.singing.segments.hts_segments import labels_to_segment
from oneleap.domains.singing.segments.segment import Curve, Segment
from oneleap.domains.singing.segments.splitting import split_at_rests

LOW, HIGH = 80.0, 1100.0
"""Range in which pitch is looked for, in Hz."""


def labels(
    path: Path,
    out: Path = Path("data/singing-labels"),
    sample_rate: int = 48_000,
    dictionary: Path | None = None,
) -> None:
    """Convert recordings with HTS or Sinsy full-context labels to openvpi's layout.

    Each sound file needs a label file of the same name with suffix .lab. Songs are cut at rests.
    Notes begin with their vowels. WORLD's Harvest estimates pitch.

    Example: oneleap collect labels recordings --out data/singer

    Args:
        path: Folder of sounds and labels.
        out: Folder to write.
        sample_rate: Sample rate of the written sounds in Hz.
        dictionary: Dictionary in openvpi's format, if the labels are not Japanese. It says which
            phonemes are vowels.

    Raises:
        InputError: A label file is missing or invalid, or the folder holds recordings already.
    """
    if (out / TABLE).exists():
        raise InputError(f"{out} holds recordings already: name another folder with --out")
    syllabic = SYLLABIC if dictionary is None else read_dictionary(dictionary).syllabic
    sounds = find_audio_files(path)
    found: list[Segment] = []
    with Progress(console=Console(stderr=True)) as bar:
        for sound in bar.track(sounds, description="converting"):
            found += convert_song(sound, out, sample_rate, syllabic)
    write_table(out, tuple(found))
    license_file = next((p for p in sorted(path.iterdir()) if p.stem.upper() in _LICENSES), None)
    if license_file is not None:
        with atomic_write(out / license_file.name) as copy:
            copy.write_bytes(license_file.read_bytes())
    seconds = sum(segment.seconds for segment in found)
    print(f"{out / TABLE}: phrases {len(found)}, songs {len(sounds)}, {seconds / 60:.1f} min")


_LICENSES = ("COPYING", "LICENSE", "LICENCE", "README")


def convert_song(
    sound: Path, out: Path, sample_rate: int, syllabic: frozenset[str] = SYLLABIC
) -> list[Segment]:
    """Write the phrases of one song.

    Args:
        sound: Path of the sound file; its label file lies beside it.
        out: Folder of the converted recordings.
        sample_rate: Sample rate of the written sounds in Hz.
        syllabic: Phonemes that may carry a note.

    Returns:
        The phrases.

    Raises:
        InputError: A file cannot be read, or the labels are longer than the sound.
    """
    from oneleap.domains.audio.mel import Mel
    from oneleap.domains.audio.pitch import estimate_f0

    file = sound.with_suffix(".lab")
    if not file.exists():
        raise InputError(f"{file}: no such file; each recording needs its labels beside it")
    wave = read_wave(sound, sample_rate)
    try:
        whole = labels_to_segment(read_labels(file), syllabic)
    except InputError as error:
        shown = str(error) if str(file) in str(error) else f"{file}: {error}"
        raise InputError(shown) from None
    if whole.seconds > wave.seconds + 0.1:
        raise InputError(
            f"{file}: its labels last {whole.seconds:.2f} s, but the sound only "
            f"{wave.seconds:.2f} s"
        )
    frame = Mel(sample_rate=sample_rate, hop=round(STEP_S * sample_rate), center=True)
    f0 = Curve(estimate_f0(wave, frame, low=LOW, high=HIGH), STEP_S)
    parts = split_at_rests(replace(whole, f0=f0), step_s=STEP_S)
    named = []
    for segment, part in cut_song(wave, parts, sound.stem):
        write_recording(out, segment, part)
        named.append(segment)
    return named
