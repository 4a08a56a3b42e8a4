"""``oneleap speak``: a text, a file, or a folder of files, to sound."""

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
    """The arguments; written out, for the text is optional and some options have a letter."""
    p = _Parser(
        prog="oneleap speak",
        allow_abbrev=False,
        description="Say a text in one network call. Example: oneleap speak 'Hello.' -o hello.wav",
        epilog="[[...]] in a text is phonetic (IPA): oneleap speak 'Say [[təˈmɑːtoʊ]].'",
    )
    p.add_argument("text", nargs="?", help="what to say; - reads the standard input")
    p.add_argument("-f", "--file", type=Path, help="a text file, or a folder of .txt files")
    p.add_argument(
        "-o", "--out", type=Path, help="sound file; for a folder of texts, a folder (speech.wav)"
    )
    p.add_argument("--voice", default=None, help="name of a shipped voice, or a folder")
    p.add_argument("--vocoder", help="folder of another vocoder, or griffin-lim")
    p.add_argument("--lexicon", type=Path, help="own pronunciations: word, tab, IPA")
    p.add_argument("--speaker", help="name, where the voice has several")
    p.add_argument("--steps", type=int, help="network calls; the voice's own number if left out")
    p.add_argument("--speed", type=float, default=1.0, help="2 is twice as fast (1)")
    p.add_argument("--seed", type=int, default=0, help="of the noise (0)")
    p.add_argument("--ipa", action="store_true", help="the whole text is phonetic")
    return p


def main(argv: Sequence[str]) -> int:
    """Run the command.

    Raises:
        InputError: If there is nothing to say, or a file or voice is not as it should be.
    """
    given = parser().parse_args(argv)
    texts = _texts(given.text, given.file)
    outs = _outs(list(texts), given.file, given.out)
    from oneleap.domains.speech.voice.loading import DEFAULT
    from oneleap.domains.speech.voice.voice import Voice

    voice = Voice.load(given.voice or DEFAULT, vocoder=given.vocoder, lexicon=given.lexicon)
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
    """What to say, by the stem of its file.

    Raises:
        InputError: If nothing is, or the file cannot be read.
    """
    if (text is None) == (file is None):
        raise InputError("what to say? oneleap speak 'Hello.', or -f FILE, not both")
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
            reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
            raise InputError(f"{path} cannot be read ({reason})") from None
        if not found[path.stem].strip():
            raise InputError(f"{path}: nothing to say: it is empty")
    return found


def _outs(names: Sequence[str], file: Path | None, out: Path | None) -> list[Path]:
    """Where each goes.

    Raises:
        InputError: If a folder of texts is to go into a file.
    """
    if file is not None and file.is_dir():
        folder = Path("speech") if out is None else out
        if folder.suffix or folder.is_file():
            raise InputError(f"{folder}: a folder of texts becomes a folder of sounds: -o FOLDER")
        return [folder / f"{name}.wav" for name in names]
    return [Path("speech.wav") if out is None else out]


def pack(
    acoustic: Path, vocoder: Path, out: Path, card: Path | None = None, full: bool = False
) -> None:
    """Put an acoustic model and its vocoder into one folder, a voice for ``oneleap speak``.

    Only the averages are kept, at 16 bits.

    Example: oneleap voice runs/speech/A runs/audio/B voices/mine

    Args:
        acoustic: Run, or model folder, of an acoustic model.
        vocoder: Run, or model folder, of a vocoder of the same mel contract.
        out: Folder of the voice.
        card: Markdown that says whose voice it is, and under what licence.
        full: Keep 32 bits.

    Raises:
        InputError: If the two cannot be paired, or the folder exists.
    """
    from oneleap.domains.speech.voice.voice import Voice

    if out.exists():
        raise InputError(f"{out} exists already: delete it, or name another folder")
    if card is not None and not card.is_file():
        raise InputError(f"card: {card}: no such file")
    text = f"# {out.name}\n" if card is None else card.read_text(encoding="utf-8")
    voice = Voice.load(acoustic, vocoder=vocoder)
    voice.save(out, card=text, half=not full)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 2**20:.1f} MiB")
