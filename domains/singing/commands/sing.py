"""``oneleap sing``: sing a score."""

import shutil
import sys
import time
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from oneleap.core.errors import InputError
from oneleap.domains.singing.segments.manner import DEFAULT_MANNER, Manner

if TYPE_CHECKING:
    from oneleap.domains.singing.segments.segment import ScoreSegment


def sing(
    score: Path,
    out: Path | None = None,
    voice: str | None = None,
    steps: int | None = None,
    key: float = 0.0,
    tempo: float = 1.0,
    dictionary: Path | None = None,
    verse: str | None = None,
    part: str | None = None,
    chords: Literal["top", "bottom"] = "top",
    vowel: str | None = None,
    fold_octaves: bool = False,
    dynamics: float = 1.0,
    vibrato: float = DEFAULT_MANNER.vibrato,
    portamento: float = DEFAULT_MANNER.glide_s,
    scoop: float = DEFAULT_MANNER.scoop,
    show: bool = False,
    seed: int = 0,
) -> None:
    """Sing a score in one network call, at a loudness of -23 LUFS.

    Example: oneleap sing song.musicxml -o song.wav

    Args:
        score: MusicXML or MIDI file with lyrics, UTAU's .ust or .ustx, .ds file, or HTS labels.
        out: Sound file to write; by default named after the score, with suffix .wav. A .ds file
            gets phonemes with their times and the pitch instead of sound. With --show, a picture
            to write, such as roll.png.
        voice: Name of a shipped singer, or folder of a singer; by default the one that sings the
            language of the lyrics, Japanese or English.
        steps: Sampler steps; by default the number of the voice, 1.
        key: Transposition in semitones, for example +2 or -3.
        tempo: Tempo factor; 2 is twice as fast.
        dictionary: Dictionary of pronunciations, for lyrics in other languages.
        verse: Number or name of the verse to sing; by default the first.
        part: Name or number of the part to sing; by default the one with the most lyrics.
        chords: Note of a chord that is sung, top or bottom.
        vowel: Lyric of notes that have none and continue no syllable, a by default. A part without
            any lyrics is sung if this is given.
        fold_octaves: Move notes that the voice cannot sing by octaves.
        dynamics: Share of the score's dynamics to apply, from 0 to 1.
        vibrato: Depth of the vibrato of long notes in semitones; 0 for none.
        portamento: Time that pitch takes from one note to the next, in seconds.
        scoop: Semitones from which a note after a rest rises; 0 for none.
        show: Print notes, syllables, phonemes and a piano roll, and sing nothing.
        seed: Seed of the noise.

    Raises:
        InputError: The score or the voice is invalid.
    """
    if steps is not None and steps < 1:
        raise InputError(f"steps: at least 1, not {steps}")
    from oneleap.core.outputs import check_output
    from oneleap.domains.audio.loudness import level
    from oneleap.domains.audio.wave import check_sound_file
    from oneleap.domains.singing.lyrics.phonemizer import read_dictionary
    from oneleap.domains.singing.segments.ds import write_ds
    from oneleap.domains.singing.segments.timing import lead_in
    from oneleap.domains.singing.voice.language import read_song

    manner = Manner(vibrato=vibrato, glide_s=portamento, scoop=scoop)
    phonemes = None if dictionary is None else read_dictionary(dictionary)
    segments, name, phonemes = read_song(
        score, voice, phonemes, verse=verse, part=part, chords=chords, vowel=vowel
    )
    if show:
        _show(score, segments, phonemes.syllabic, out, name, key, tempo)
        return
    out = Path(score.with_suffix(".wav").name) if out is None else out
    (check_output if out.suffix.lower() == ".ds" else check_sound_file)(out)
    from oneleap.domains.singing.voice.performance import perform
    from oneleap.domains.singing.voice.singer import Singer

    singer = Singer.load(name)
    start = time.perf_counter()
    try:
        if out.suffix.lower() == ".ds":
            moved = singer.prepare(segments, key, tempo, fold_octaves=fold_octaves)
            write_ds(out, perform(singer, moved, seed, manner))
            print(f"{out}: {len(moved)} phrases", file=sys.stderr)
            return
        wave = singer.sing(
            segments,
            steps=steps,
            key=key,
            tempo=tempo,
            dynamics=dynamics,
            fold_octaves=fold_octaves,
            seed=seed,
            manner=manner,
        )
    except InputError as error:
        raise InputError(f"{score}: {error}") from None
    seconds = time.perf_counter() - start
    level(wave).save(out)
    print(f"{out}: {wave.seconds:.1f} s of song in {seconds:.2f} s", file=sys.stderr)
    if lead := lead_in(segments) / tempo:
        print(_lead_note(lead), file=sys.stderr)


def _lead_note(seconds: float) -> str:
    return f"The first beat is at {seconds:.3f} s: the consonant of the first note comes before it."


def _show(
    score: Path,
    segments: "Sequence[ScoreSegment]",
    syllabic: Collection[str],
    out: Path | None,
    voice: str | None,
    key: float,
    tempo: float,
) -> None:
    """Print the notes of a song and a piano roll, and write a picture of it."""
    from oneleap.domains.singing.segments.roll import (
        PICTURE_SUFFIXES,
        draw_roll,
        format_notes,
        note_rows,
        save_roll,
    )
    from oneleap.domains.singing.segments.timing import lead_in
    from oneleap.domains.singing.voice.preview import time_phonemes

    if out is not None and out.suffix.lower() not in PICTURE_SUFFIXES:
        kinds = ", ".join(PICTURE_SUFFIXES)
        raise InputError(f"out: with --show, a picture is written: {out} must end in {kinds}")
    try:
        timed, untimed = time_phonemes(segments, voice, key=key, tempo=tempo)
    except InputError as error:
        raise InputError(f"{score}: {error}") from None
    rows = note_rows(timed, syllabic)
    if not rows:
        raise InputError(f"{score}: has no notes to show")
    print(format_notes(rows))
    print()
    print(draw_roll(rows, min(shutil.get_terminal_size().columns, 120)))
    if untimed:
        print(f"Consonants have no times: {untimed}", file=sys.stderr)
    if lead := lead_in(timed):
        print(_lead_note(lead), file=sys.stderr)
    if out is not None:
        save_roll(out, rows, score.stem)
        print(out, file=sys.stderr)
