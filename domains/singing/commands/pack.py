"""``oneleap singer``: pack trained models into the folder of a singer."""

from pathlib import Path
from typing import Literal

from oneleap.core.errors import InputError


def pack(
    acoustic: Path,
    durations: Path,
    pitch: Path,
    vocoder: Path,
    out: Path,
    variance: Path | None = None,
    card: Path | None = None,
    bits: Literal[8, 16, 32] = 16,
    full: bool = False,
) -> None:
    """Pack the models of a singer into one folder for ``oneleap sing``.

    Only the averaged weights are kept. With 8 bits, the matrices of layers are rounded.

    Example: oneleap singer runs/singing/A runs/singing/D runs/singing/P runs/audio/V singers/mine

    Args:
        acoustic: Run or model folder of an acoustic model.
        durations: Run or model folder of a duration model.
        pitch: Run or model folder of a pitch model.
        vocoder: Run or model folder of a vocoder with the same spectrogram format.
        out: Folder of the singer.
        variance: Run or model folder of a model of energy and breathiness, if the acoustic model
            is conditioned on them.
        card: Markdown file that names the singer and the license.
        bits: Bits of a weight.
        full: The earlier name of --bits 32.

    Raises:
        InputError: The models cannot be combined, or the folder exists.
    """
    if out.exists():
        raise InputError(f"{out} exists already: delete it, or name another folder")
    if card is not None and not card.is_file():
        raise InputError(f"card: {card}: no such file")
    from oneleap.domains.singing.models.acoustic import AcousticModel
    from oneleap.domains.singing.models.curves import CurveModel
    from oneleap.domains.singing.models.durations import DurationModel
    from oneleap.domains.singing.voice.loading import (
        ACOUSTIC,
        DURATIONS,
        PITCH,
        VARIANCE,
        load_part,
    )
    from oneleap.domains.singing.voice.singer import Singer
    from oneleap.domains.singing.voice.vocoding import load_vocoder

    text = f"# {out.name}\n" if card is None else card.read_text(encoding="utf-8")
    singer = Singer.from_parts(
        load_part(acoustic, ACOUSTIC, AcousticModel),
        load_part(durations, DURATIONS, DurationModel),
        load_part(pitch, PITCH, CurveModel),
        load_vocoder(vocoder),
        None if variance is None else load_part(variance, VARIANCE, CurveModel),
    )
    singer.save(out, card=text, bits=32 if full else bits)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    print(f"{out}: {size / 2**20:.1f} MiB")
