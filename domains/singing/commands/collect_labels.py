"""``oneleap collect labels``: recordings with HTS labels, in openvpi's layout."""

from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.audio.mel import Mel
from oneleap.domains.audio.pitch import f0_hz
from oneleap.domains.audio.wave import files_in, read
from oneleap.domains.singing.data.recordings import STEP_S, TABLE, pieces, write_piece, write_table
from oneleap.domains.singing.lyrics.phonemizer import SYLLABIC, read_dictionary
from oneleap.domains.singing.segments.hts import read_labels
from oneleap.domains.singing.segments.hts_segments import labels_to_segment
from oneleap.domains.singing.segments.segment import Curve, Segment
from oneleap.domains.singing.segments.splitting import split_at_rests

LOW, HIGH = 80.0, 1100.0
"""Range in which pitch is looked for, Hz."""


def labels(
    path: Path,
    out: Path = Path("data/singing-labels"),
    sample_rate: int = 48_000,
    dictionary: Path | None = None,
) -> None:
    """Bring recordings with HTS or Sinsy full-context labels into openvpi's layout.

    Each sound of the folder has a file of its name ending in .lab. Songs are cut at rests; a note
    begins with its vowel; pitch is found by WORLD's Harvest.

    Example: oneleap collect labels recordings --out data/singer

    Args:
        path: Folder of sounds and labels.
        out: Folder to write.
        sample_rate: Of the sounds written, Hz.
        dictionary: In openvpi's form, if the labels are not Japanese: its vowels carry notes.

    Raises:
        InputError: A label file is missing or wrong, or the folder to write is not empty.
    """
    if (out / TABLE).exists():
        raise InputError(f"{out} holds recordings already: name another folder by --out")
    carriers = SYLLABIC if dictionary is None else read_dictionary(dictionary).syllabic
    sounds = files_in(path)
    found: list[Segment] = []
    with Progress(console=Console(stderr=True)) as bar:
        for sound in bar.track(sounds, description="cutting"):
            found += song(sound, out, sample_rate, carriers)
    write_table(out, tuple(found))
    licence = next((p for p in sorted(path.iterdir()) if p.stem.upper() in _LICENCES), None)
    if licence is not None:
        with replacing(out / licence.name) as copy:
            copy.write_bytes(licence.read_bytes())
    seconds = sum(segment.seconds for segment in found)
    print(f"{out / TABLE}: phrases {len(found)}, songs {len(sounds)}, {seconds / 60:.1f} min")


_LICENCES = ("COPYING", "LICENSE", "LICENCE", "README")


def song(
    sound: Path, out: Path, sample_rate: int, carriers: frozenset[str] = SYLLABIC
) -> list[Segment]:
    """Write the phrases of one recording; ``NAME.lab`` lies beside ``NAME.wav``.

    Args:
        sound: The recording.
        out: Folder to write ``wavs`` and ``f0`` in.
        sample_rate: Of the sounds written, Hz.
        carriers: Phonemes that may carry a note.

    Raises:
        InputError: If a file cannot be read, or the labels are longer than the sound.
    """
    file = sound.with_suffix(".lab")
    if not file.exists():
        raise InputError(f"{file}: no such file; each recording has its labels beside it")
    wave = read(sound, sample_rate)
    try:
        whole = labels_to_segment(read_labels(file), carriers)
    except InputError as error:
        shown = str(error) if str(file) in str(error) else f"{file}: {error}"
        raise InputError(shown) from None
    if whole.seconds > wave.seconds + 0.1:
        raise InputError(
            f"{file}: its labels last {whole.seconds:.2f} s, the sound {wave.seconds:.2f} s"
        )
    frame = Mel(sample_rate=sample_rate, hop=round(STEP_S * sample_rate), center=True)
    f0 = Curve(f0_hz(wave, frame, low=LOW, high=HIGH), STEP_S)
    parts = split_at_rests(replace(whole, f0=f0), step_s=STEP_S)
    named = []
    for segment, part in pieces(wave, parts, sound.stem):
        write_piece(out, segment, part)
        named.append(segment)
    return named
