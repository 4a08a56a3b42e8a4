"""What the folder of a voice says about it, read without torch: the command ``oneleap voices``."""

import json
import re
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.reading.text import read_json
from oneleap.domains.speech.text.voices import read_spec, shipped_folders

ABOUT, CARD = "voice.json", "README.md"
"""Files in the folder of a voice, beside its models."""


@dataclass(frozen=True)
class About:
    """What a voice's folder says beside its card. ``voice.json`` has the same fields.

    Attributes:
        description: Whose voice it is in a few words, such as ``American woman``.
        license: License of the weights, such as ``CC0-1.0``.
        sentence: A sample sentence in the language of the voice.
    """

    description: str = ""
    license: str = ""
    sentence: str = ""


@dataclass(frozen=True)
class Entry:
    """A voice in a list.

    Attributes:
        name: Its name.
        mib: Size of its folder in MiB.
        sample_rate: Sample rate in Hz.
        language: Language, such as ``en-us``.
        speakers: Names of its speakers.
        about: What its folder says about it.
    """

    name: str
    mib: float
    sample_rate: int
    language: str
    speakers: tuple[str, ...]
    about: About


def write_about(folder: Path, about: About) -> None:
    """Write ``voice.json``."""
    with atomic_write(folder / ABOUT) as path:
        text = json.dumps(asdict(about), indent=2, ensure_ascii=False)
        path.write_text(f"{text}\n", encoding="utf-8")


def read_about(folder: Path) -> About:
    """Read ``voice.json``. A folder without one is described by the first sentence of its card.

    Raises:
        InputError: If the file is damaged.
    """
    file = folder / ABOUT
    if not file.is_file():
        return About(description=_first_sentence(folder / CARD))
    try:
        value = read_json(file)
    except InputError:
        value = None
    if not isinstance(value, dict):
        raise InputError(f"{file}: is not a JSON object: delete it, or pack the voice again")
    given = {field.name: value.get(field.name, "") for field in fields(About)}
    for name, text in given.items():
        if not isinstance(text, str):
            raise InputError(f"{file}: {name} must be a text, not {json.dumps(text)[:40]}")
    return About(**given)


def _first_sentence(card: Path) -> str:
    """Return the first sentence of a card that is in no heading and no front matter."""
    try:
        text = card.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
    text = re.sub(r"\A---\n.*?\n---\n", "", text, flags=re.DOTALL)
    blocks = (" ".join(block.split()) for block in re.split(r"\n\s*\n", text))
    plain = next((block for block in blocks if block and block[0].isalnum()), "")
    return re.split(r"(?<=\.)\s", plain, maxsplit=1)[0]


def shipped_entries() -> list[Entry]:
    """Return the voices that ship with oneleap.

    Raises:
        InputError: If a file of one is damaged.
    """
    return [read_entry(name, folder) for name, folder in shipped_folders().items()]


def read_entry(name: str, folder: Path) -> Entry:
    """Describe the voice in a folder.

    Raises:
        InputError: If a file is damaged.
    """
    config = folder / "acoustic" / "config.json"
    spec = read_spec(config)
    try:
        rate = int(spec["mel"]["init_args"]["sample_rate"])
        speakers = tuple(map(str, spec.get("speakers", ("speaker",))))
    except (KeyError, TypeError, ValueError):
        raise InputError(f"{config}: is not the configuration of an acoustic model") from None
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    language = str(spec.get("language", "en-us"))
    return Entry(name, size / 2**20, rate, language, speakers, read_about(folder))
