"""The text front end of a voice on disk, without loading its models."""

import os
from collections.abc import Mapping
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any, get_args

from oneleap.core.errors import InputError, suggest
from oneleap.core.reading.text import read_json
from oneleap.domains.speech.text.frontend import FrontEnd
from oneleap.domains.speech.text.lexicon import read_lexicon
from oneleap.domains.speech.text.ssml import is_ssml, parse_ssml
from oneleap.domains.speech.text.symbols import SYMBOLS, Phonemizer

DEFAULT_VOICE = "heart"
"""Name of the voice that speaks by default."""


def shipped_folders() -> dict[str, Path]:
    """Return the folders of the voices that ship with oneleap, by name."""
    folders = sorted((Path(str(files("oneleap.domains.speech"))) / "voices").glob("*"))
    return {path.name: path for path in folders if (path / _CONFIGS[0]).is_file()}


_CONFIGS = ("acoustic/config.json", "model/config.json", "config.json")


def load_front_end(
    name: str | os.PathLike[str] = DEFAULT_VOICE,
    *,
    lexicon: str | os.PathLike[str] | None = None,
    ipa: bool = False,
) -> FrontEnd:
    """Load the text front end of a voice. No weights are read, and torch is not imported.

    Args:
        name: Name of a shipped voice, or a folder: of a voice, of a run or of an acoustic model.
        lexicon: File of pronunciations; each line has a word, a tab and IPA.
        ipa: Whether texts are phonetic.

    Returns:
        The front end.

    Raises:
        InputError: If there is no such voice.
    """
    known = shipped_folders()
    folder = known.get(str(name), Path(name))
    found = [folder / config for config in _CONFIGS if (folder / config).is_file()]
    if not found:
        raise InputError(
            f"voice: no '{name}'{suggest(str(name), known)} (shipped: {', '.join(known)}; or name "
            "a folder)"
        )
    spec = read_spec(found[0])
    symbols = tuple(spec.get("symbols", SYMBOLS))
    phonemizer: Phonemizer = spec.get("phonemizer", "espeak")
    if phonemizer not in get_args(Phonemizer):
        raise InputError(f"{found[0]}: phonemizer: '{phonemizer}' is not known")
    plain = FrontEnd(spec.get("language", "en-us"), symbols, {}, ipa, phonemizer)
    words = read_lexicon(lexicon, plain.from_ipa) if lexicon else {}
    return replace(plain, lexicon=words)


def read_spec(config: Path) -> Mapping[str, Any]:
    """Read the arguments of the specification in the configuration of an acoustic model.

    Raises:
        InputError: If the file is missing or damaged.
    """
    try:
        spec: Mapping[str, Any] = read_json(config)["init_args"]["spec"]["init_args"]
    except (InputError, KeyError, TypeError):
        raise InputError(f"{config}: is not the configuration of an acoustic model") from None
    return spec


def show_text(front_end: FrontEnd, text: str, where: str = "text") -> tuple[str, str]:
    """Return a text in words and its phonemes, each on one line.

    Args:
        front_end: The front end.
        text: Plain text, or SSML if it begins with ``<speak``.
        where: Origin of the text, for messages.

    Raises:
        InputError: If there is no word to say, or the SSML is wrong.
    """
    if front_end.ipa:
        ipa = " ".join(front_end.phonetic_sentences(text, where))
        return ipa, ipa
    texts = [p.text for p in parse_ssml(text, where)] if is_ssml(text) else [text]
    spoken = [t for t in texts if any(c.isalnum() for c in t)] or texts[:1] or [""]
    prepared = [front_end.prepare(part, where) for part in spoken]
    words = " ".join(part.shown for part in prepared)
    phonemes = [ipa for part in prepared for ipa in front_end.convert(part)]
    if not phonemes:
        raise InputError(f"{where}: nothing to say: there is no word in '{words[:40]}'")
    return words, " ".join(phonemes)
