"""``oneleap sing``: sing a score."""

import sys
import time
from pathlib import Path

from oneleap.core.errors import InputError


def sing(
    score: Path,
    out: Path | None = None,
    voice: str | None = None,
    steps: int | None = None,
    key: float = 0.0,
    tempo: float = 1.0,
    dictionary: Path | None = None,
    verse: int = 1,
    seed: int = 0,
) -> None:
    """Sing a score in one network call, at a loudness of -23 LUFS.

    Example: oneleap sing song.musicxml -o song.wav

    Args:
        score: MusicXML or MIDI file with lyrics, .ds file, or HTS labels.
        out: Sound file to write; by default named after the score, with suffix .wav.
        voice: Name of a shipped singer, or folder of a singer.
        steps: Sampler steps; by default the number of the voice, 1.
        key: Transposition in semitones, for example +2 or -3.
        tempo: Tempo factor; 2 is twice as fast.
        dictionary: Dictionary for lyrics that are not Japanese.
        verse: Verse to sing.
        seed: Seed of the noise.

    Raises:
        InputError: The score or the voice is invalid.
    """
    if steps is not None and steps < 1:
        raise InputError(f"steps: at least 1, not {steps}")
    from oneleap.domains.audio.loudness import level
    from oneleap.domains.audio.wave import check_sound_file
    from oneleap.domains.singing.lyrics.phonemizer import read_dictionary
    from oneleap.domains.singing.scores.read import read_segments
    from oneleap.domains.singing.voice.loading import DEFAULT, shipped_singers
    from oneleap.domains.singing.voice.singer import Singer

    if voice is None and DEFAULT not in shipped_singers():
        raise InputError(
            "no singer ships with this installation: train its four models (oneleap configs), pack "
            "them with oneleap singer, and name the folder with --voice"
        )
    out = Path(score.with_suffix(".wav").name) if out is None else out
    check_sound_file(out)
    phonemes = None if dictionary is None else read_dictionary(dictionary)
    segments = read_segments(score, phonemes, verse=verse)
    singer = Singer.load(voice or DEFAULT)
    start = time.perf_counter()
    try:
        wave = singer.sing(segments, steps=steps, key=key, tempo=tempo, seed=seed)
    except InputError as error:
        raise InputError(f"{score}: {error}") from None
    seconds = time.perf_counter() - start
    level(wave).save(out)
    print(f"{out}: {wave.seconds:.1f} s of song in {seconds:.2f} s", file=sys.stderr)
