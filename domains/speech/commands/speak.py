"""``oneleap speak``: speak a text, a text file, or a folder of text files."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from oneleap.core.errors import InputError


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise InputError(f"{message} (oneleap speak --help)")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command. The text is optional, and some options have a letter."""
    p = _Parser(
        prog="oneleap speak",
        allow_abbrev=False,
        description="Speak a text in one network call. "
        "Example: oneleap speak 'Hello.' -o hello.wav",
        epilog="[[...]] in a text is phonetic (IPA): oneleap speak 'Say [[təˈmɑːtoʊ]].'",
    )
    p.add_argument("text", nargs="?", help="text to speak; - reads standard input")
    p.add_argument("-f", "--file", type=Path, help="text file, or folder of .txt files")
    p.add_argument(
        "-o",
        "--out",
        type=Path,
        help="sound file, or a folder for a folder of texts (default: speech.wav)",
    )
    p.add_argument("--voice", default=None, help="name of a shipped voice, or a folder")
    p.add_argument("--vocoder", help="folder of another vocoder, or griffin-lim")
    p.add_argument("--lexicon", type=Path, help="file of pronunciations: word, tab, IPA")
    p.add_argument("--speaker", help="name of the speaker, if the voice has several")
    p.add_argument("--steps", type=int, help="network calls (default: the voice's own number)")
    p.add_argument(
        "--speed", type=float, default=1.0, help="tempo; 2 is twice as fast (default: 1)"
    )
    p.add_argument("--seed", type=int, default=0, help="seed of the noise (default: 0)")
    p.add_argument("--ipa", action="store_true", help="the whole text is phonetic")
    return p


def main(argv: Sequence[str]) -> int:
    """Run the command and return its exit status.

    Raises:
        InputError: If there is nothing to say, or a file or voice cannot be read.
    """
    given = parser().parse_args(argv)
    texts = _texts(given.text, given.file)
    outs = _outs(list(texts), given.file, given.out)
    from oneleap.domains.speech.voice.loading import DEFAULT_VOICE
    from oneleap.domains.speech.voice.voice import Voice

    voice = Voice.load(given.voice or DEFAULT_VOICE, vocoder=given.vocoder, lexicon=given.lexicon)
    start = time.perf_counter()
    waves = voice.speak_all(
        list(texts.values()),
        steps=given.steps,
        speed=given.speed,
        seed=given.seed,
        speaker=given.speaker,
        ipa=given.ipa,
    )
    took = time.perf_counter() - start
    for wave, out in zip(waves, outs, strict=True):
        wave.save(out)
    seconds = sum(wave.seconds for wave in waves)
    where = outs[0] if len(outs) == 1 else f"{outs[0].parent} ({len(outs)} files)"
    print(f"{where}: {seconds:.1f} s of speech in {took:.2f} s", file=sys.stderr)
    return 0


def _texts(text: str | None, file: Path | None) -> dict[str, str]:
    """Read the texts to speak, by the stem of their files.

    Raises:
        InputError: If there is no text, or a file cannot be read.
    """
    if (text is None) == (file is None):
        raise InputError("give a text or -f FILE, not both: oneleap speak 'Hello.'")
    if file is None:
        return {"speech": sys.stdin.read() if text == "-" else str(text)}
    files = sorted(file.glob("*.txt")) if file.is_dir() else [file]
    if not files:
        raise InputError(f"{file} holds no .txt files")
    found = {}
    for path in files:
        try:
            found[path.stem] = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
            raise InputError(f"{path} cannot be read ({reason})") from None
        if not found[path.stem].strip():
            raise InputError(f"{path}: nothing to say: it is empty")
    return found


def _outs(names: Sequence[str], file: Path | None, out: Path | None) -> list[Path]:
    """Return the sound file of each text.

    Raises:
        InputError: If the output for a folder of texts is a file.
    """
    if file is not None and file.is_dir():
        folder = Path("speech") if out is None else out
        if folder.suffix or folder.is_file():
            raise InputError(f"{folder}: the output of a folder of texts is a folder: -o FOLDER")
        return [folder / f"{name}.wav" for name in names]
    return [Path("speech.wav") if out is None else out]
