"""``oneleap composer``: a base model, its student and a vocoder in one folder."""

from pathlib import Path

from oneleap.core.errors import InputError


def pack(
    base: Path,
    student: Path,
    vocoder: Path,
    out: Path,
    guidance: float = 2.0,
    card: Path | None = None,
    full: bool = False,
) -> None:
    """Put a base model, its student and their vocoder into one folder for ``oneleap compose``.

    Only the averages are kept, at 16 bits.

    Example: oneleap composer runs/music/A runs/music/B runs/audio/C composers/mine

    Args:
        base: Run, or model folder, of a model of many steps.
        student: Run, or model folder, of the model of one step that was distilled from it.
        vocoder: Run, or model folder, of a vocoder of the same mel contract.
        out: Folder of the composer.
        guidance: Scale at which tags act if none is asked for; 1 is none.
        card: Markdown that says whose music it was trained on, and under what licence.
        full: Keep 32 bits.

    Raises:
        InputError: If the parts do not fit, or the folder exists.
    """
    if out.exists():
        raise InputError(f"{out} exists already: delete it, or name another folder")
    if card is not None and not card.is_file():
        raise InputError(f"card: {card}: no such file")
    if not 0 <= guidance < float("inf"):
        raise InputError(f"guidance: a scale from 0 up, not {guidance}")
    from oneleap.domains.music.composer.composer import Composer
    from oneleap.domains.music.composer.loading import load_model, load_vocoder

    made = Composer.of(load_model(base), load_model(student), load_vocoder(vocoder), guidance)
    made.surrogate(made.spec.tags[:1])  # a student that cannot be asked is told before any file
    text = f"# {out.name}\n" if card is None else card.read_text(encoding="utf-8")
    made.save(out, card=text, half=not full)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 2**20:.1f} MiB")
