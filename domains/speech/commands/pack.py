"""``oneleap voice``: an acoustic model and its vocoder in one folder."""

from pathlib import Path

from oneleap.core.errors import InputError


def pack(
    acoustic: Path, vocoder: Path, out: Path, card: Path | None = None, full: bool = False
) -> None:
    """Put an acoustic model and its vocoder into one folder, as a voice for ``oneleap speak``.

    Only the averaged weights are kept, at 16 bits.

    Example: oneleap voice runs/speech/A runs/audio/B voices/mine

    Args:
        acoustic: Folder of the run, or of the model, of an acoustic model.
        vocoder: Folder of the run, or of the model, of a vocoder with the same mel format.
        out: Folder of the voice.
        card: Model card in Markdown, which says whose voice it is and under what license.
        full: Keep weights at 32 bits.

    Raises:
        InputError: If the two models do not fit, or the folder exists.
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
