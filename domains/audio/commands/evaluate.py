"""``oneleap evaluate`` for vocoders: copy synthesis of recordings."""

from pathlib import Path

from oneleap.core.errors import InputError


def evaluate(
    run: Path,
    data: Path | None = None,
    limit: int = 50,
    seed: int = 0,
    json: Path | None = None,
) -> None:
    """Evaluate a vocoder by copy synthesis of recordings.

    ``mel_l1`` is the mean difference of natural-log mel spectrograms. ``dnsmos`` is the predicted
    rating of listeners (extra ``eval``). ``rtf`` is the synthesis time divided by the duration.
    Griffin-Lim is evaluated for comparison. A source-filter vocoder gets the pitch of the run's
    data, or Harvest's estimate.

    Example: oneleap evaluate runs/audio/vocos_speech/0

    Args:
        run: Folder of a run, of a vocoder, or of a packed voice; evaluation.json is written there.
        data: Folder of sound files; by default the validation recordings of the run.
        limit: Largest number of recordings.
        seed: Seed of Griffin-Lim's initial phases, and of the noise of a source-filter vocoder.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: ``run`` holds no such vocoder, or there are no recordings.
    """
    if limit < 1:
        raise InputError(f"limit: {limit} is not positive")
    from oneleap.core.hub.pretrained import load_pretrained
    from oneleap.core.training.run import find_model
    from oneleap.domains.audio.evaluation.copy_synthesis import (
        copy_synthesis,
        print_table,
        recordings,
    )
    from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
    from oneleap.domains.audio.vocoders.vocos import Vocos

    path = find_model(run, "vocoder")
    path.check_output()
    vocoder = load_pretrained(path.model)
    if not isinstance(vocoder, Vocos | SourceFilterVocoder):
        raise InputError(
            f"{path.model} holds a {type(vocoder).__name__}, not a Vocos or SourceFilterVocoder"
        )
    found = copy_synthesis(vocoder, recordings(path, vocoder, data, limit), seed)
    print_table(found)
    path.write_evaluation(found, json)
