"""``oneleap voice pack``: an acoustic model and its vocoder in one folder."""

from pathlib import Path
from typing import Literal

from oneleap.core.errors import InputError


def pack(
    acoustic: Path,
    vocoder: Path,
    out: Path,
    card: Path | None = None,
    description: str | None = None,
    license: str | None = None,
    sentence: str | None = None,
    bits: Literal[8, 16, 32] = 16,
    full: bool = False,
) -> None:
    """Put an acoustic model and its vocoder into one folder, as a voice for ``oneleap speak``.

    Only the averaged weights are kept. With 8 bits a voice is half as large as with 16: the
    matrices of layers are rounded, with one scale for each row.

    Example: oneleap voice pack runs/speech/A runs/audio/B voices/mine --bits 8

    Args:
        acoustic: Folder of the run, or of the model, of an acoustic model.
        vocoder: Folder of the run, or of the model, of a vocoder with the same mel format.
        out: Folder of the voice.
        card: Model card in Markdown, which says whose voice it is and under what license.
        description: Whose voice it is in a few words, such as 'American woman'.
        license: License of the weights, such as CC0-1.0.
        sentence: Sample sentence.
        bits: Bits of a weight.
        full: The earlier name of --bits 32.

    Raises:
        InputError: If the two models do not fit, or the folder exists.
    """
    from dataclasses import replace

    from oneleap.domains.speech.voice.about import About
    from oneleap.domains.speech.voice.voice import Voice

    if out.exists():
        raise InputError(f"{out} exists already: delete it, or name another folder")
    if card is not None and not card.is_file():
        raise InputError(f"card: {card}: no such file")
    text = f"# {out.name}\n" if card is None else card.read_text(encoding="utf-8")
    voice = Voice.load(acoustic, vocoder=vocoder)
    was = voice.about
    about = About(
        was.description if description is None else description,
        was.license if license is None else license,
        was.sentence if sentence is None else sentence,
    )
    replace(voice, about=about).save(out, card=text, bits=32 if full else bits)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 2**20:.1f} MiB")
