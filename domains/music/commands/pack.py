"""``oneleap composer``: pack a base model, its student and a vocoder into one folder."""

from pathlib import Path
from typing import Literal

from oneleap.core.errors import InputError


def pack(
    base: Path,
    student: Path,
    vocoder: Path,
    out: Path,
    guidance: float = 2.0,
    card: Path | None = None,
    bits: Literal[8, 16, 32] = 16,
    full: bool = False,
) -> None:
    """Pack a base model, its student and a vocoder into one folder for ``oneleap compose``.

    Only the averaged weights are kept. With 8 bits, the matrices of layers are rounded.

    Example: oneleap composer runs/music/A runs/music/B runs/audio/C composers/mine

    Args:
        base: Run, or model folder, of the model that samples in many steps.
        student: Run, or model folder, of the one-step model that was distilled from it.
        vocoder: Run, or model folder, of a vocoder with the same mel format.
        out: Folder of the composer.
        guidance: Default guidance scale of the tags; 1 means no guidance.
        card: Markdown file that names the training data and their license.
        bits: Bits of a weight.
        full: The earlier name of --bits 32.

    Raises:
        InputError: If the parts do not fit together, or the folder exists.
    """
    if out.exists():
        raise InputError(f"{out} exists already: delete it, or name another folder")
    if card is not None and not card.is_file():
        raise InputError(f"card: {card}: no such file")
    if not 0 <= guidance < float("inf"):
        raise InputError(f"guidance: must be finite and not negative, not {guidance}")
    from oneleap.domains.music.composer.composer import Composer
    from oneleap.domains.music.composer.loading import load_music_model, load_vocoder

    parts = load_music_model(base), load_music_model(student), load_vocoder(vocoder)
    composer = Composer.from_parts(*parts, guidance)
    composer.surrogate(composer.spec.tags[:1])  # refuses an unusable student before any file
    text = f"# {out.name}\n" if card is None else card.read_text(encoding="utf-8")
    composer.save(out, card=text, bits=32 if full else bits)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 2**20:.1f} MiB")
