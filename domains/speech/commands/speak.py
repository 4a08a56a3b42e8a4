"""``oneleap speak``: speak a text, a text file, or a folder of text files."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oneleap.core.errors import InputError
from oneleap.core.outputs import PIPE
from oneleap.core.reading.text import as_utf8, read_standard_input, read_text

if TYPE_CHECKING:
    from oneleap.domains.speech.voice.voice import Voice


def speak(
    text: str = "",
    /,
    file: Path | None = None,
    out: Path | None = None,
    voice: str | None = None,
    vocoder: str | None = None,
    lexicon: Path | None = None,
    speaker: str | None = None,
    steps: int | None = None,
    speed: float = 1.0,
    pitch: float = 0.0,
    energy: float = 0.0,
    expressive: float | None = None,
    temperature: float | None = None,
    pause: float = 0.2,
    seed: int = 0,
    ipa: bool = False,
    show: bool = False,
) -> None:
    """Speak a text in one network call, at a loudness of -23 LUFS.

    Example: oneleap speak 'Hello.' -o hello.wav

    Args:
        text: Text to speak, in which [[təˈmɑːtoʊ]] is phonetic (IPA), or SSML (<speak>...); -
            reads standard input.
        file: Text file, or folder of .txt files.
        out: Sound file, or folder for a folder of texts; by default speech.wav or speech. - writes
            WAV to the standard output stream.
        voice: Name of a shipped voice, or folder of a voice.
        vocoder: Folder of another vocoder, or griffin-lim.
        lexicon: File of pronunciations; each line has a word, a tab and IPA.
        speaker: Name of the speaker; by default the first one.
        steps: Number of network calls; by default the voice's own.
        speed: Factor of the tempo; 2 is twice as fast.
        pitch: Change of pitch in semitones, for voices that generate pitch.
        energy: Vocal effort in dB; 6 is a raised voice, -6 a soft one. The loudness stays.
        expressive: Temperature of melody and rhythm; 0 is flat, by default the voice's own.
        temperature: Standard deviation of the noise; by default the voice's own.
        pause: Silence between sentences in seconds; 2.5 times as long between paragraphs.
        seed: Seed of the noise.
        ipa: The whole text is phonetic.
        show: Print the text in words, and its phonemes on the next line, and speak nothing.

    Raises:
        InputError: There is nothing to say, or a file or voice cannot be read. Of a folder, the
            texts without a fault are spoken first.
    """
    texts = _read_texts(text, file)
    if show:
        _show(texts, voice, lexicon, ipa)
        return
    paths = _sound_files(list(texts), file, out)
    from oneleap.domains.speech.voice.delivery import Delivery

    delivery = Delivery(
        speed, pitch, energy, expressive, temperature, pause, steps=steps, speaker=speaker
    )
    from oneleap.domains.audio.loudness import level
    from oneleap.domains.audio.wave import check_sound_file, write_wav_stream
    from oneleap.domains.speech.voice.loading import DEFAULT_VOICE
    from oneleap.domains.speech.voice.voice import Voice

    for path in paths:
        if path != PIPE:
            check_sound_file(path)
    loaded = Voice.load(voice or DEFAULT_VOICE, vocoder=vocoder, lexicon=lexicon, int8=True)
    faults = _drop_faulty(texts, paths, loaded, ipa) if len(texts) > 1 else []
    start = time.perf_counter()
    waves = loaded.speak_all(list(texts.values()), delivery, seed=seed, ipa=ipa)
    took = time.perf_counter() - start
    for wave, path in zip(waves, paths, strict=True):
        if path == PIPE:
            write_wav_stream(sys.stdout.buffer, level(wave))
        else:
            level(wave).save(path)
    seconds = sum(wave.seconds for wave in waves)
    where = paths[0] if len(paths) == 1 else f"{paths[0].parent} ({len(paths)} files)"
    print(f"{where}: {seconds:.1f} s of speech in {took:.2f} s", file=sys.stderr)
    if faults:
        more = f" (and {len(faults) - 1} more texts were not spoken)" if len(faults) > 1 else ""
        raise InputError(f"{faults[0]}{more}")


def _drop_faulty(
    texts: dict[str, str], paths: list[Path], voice: "Voice", ipa: bool
) -> list[InputError]:
    """Remove the texts that cannot be spoken, and their sound files; return their faults.

    Raises:
        InputError: If none can be spoken.
    """
    from oneleap.domains.speech.voice.script import script_lines

    front_end, faults = voice.front_end(ipa), list[InputError]()
    for name, path in zip(list(texts), list(paths), strict=True):
        try:
            script_lines(front_end, texts[name], f"{name}.txt")
        except InputError as error:
            faults.append(error)
            del texts[name]
            paths.remove(path)
    if not texts:
        raise faults[0]
    return faults


def _show(texts: dict[str, str], voice: str | None, lexicon: Path | None, ipa: bool) -> None:
    """Print each text in words, and its phonemes on the next line."""
    from oneleap.domains.speech.text.voices import DEFAULT_VOICE, load_front_end, show_text

    front_end = load_front_end(voice or DEFAULT_VOICE, lexicon=lexicon, ipa=ipa)
    for name, text in texts.items():
        where = "text" if len(texts) == 1 else f"{name}.txt"
        print(*show_text(front_end, text, where), sep="\n")


def _read_texts(text: str, file: Path | None) -> dict[str, str]:
    """Read the texts to speak, by the stem of their files.

    Raises:
        InputError: If there is no text, or a file cannot be read.
    """
    if text and file is not None:
        raise InputError("give a text or -f FILE, not both: oneleap speak 'Hello.'")
    if not text and file is None:
        raise InputError("nothing to say: give a text or -f FILE: oneleap speak 'Hello.'")
    if file is None:
        return {"speech": read_standard_input() if text == "-" else as_utf8(text)}
    files = sorted(file.glob("*.txt")) if file.is_dir() else [file]
    if not files:
        raise InputError(f"{file} holds no .txt files")
    found = {}
    for path in files:
        try:
            found[path.stem] = read_text(path)
        except InputError as error:
            raise InputError(f"{path} cannot be read ({error})") from None
        if not found[path.stem].strip() and len(files) == 1:
            raise InputError(f"{path}: nothing to say: it is empty")
    return found


def _sound_files(names: Sequence[str], file: Path | None, out: Path | None) -> list[Path]:
    """Return the sound file of each text.

    Raises:
        InputError: If the output for a folder of texts is a file.
    """
    if file is not None and file.is_dir():
        folder = Path("speech") if out is None else out
        if folder.suffix or folder.is_file():
            raise InputError(f"{folder}: the output for a folder of texts is a folder: -o FOLDER")
        return [folder / f"{name}.wav" for name in names]
    return [Path("speech.wav") if out is None else out]
