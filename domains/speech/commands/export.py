"""``oneleap export`` for voices: one graph each for text, spectrogram and sound."""

from pathlib import Path
from typing import Literal


def export(
    run: Path,
    format: Literal["onnx", "pt2"] = "onnx",
    steps: int | None = None,
    speaker: str | None = None,
    vocoder: Path | None = None,
    tolerance: float = 1e-3,
    out: Path | None = None,
) -> None:
    """Write a voice as graphs that run without oneleap; ``examples/speak_onnx.py`` uses them.

    ``text`` takes ``tokens`` (l,) and returns the mean spectrum of each token and, in the last
    column, the logarithm of its duration in frames. ``decoder`` takes ``means`` and standard
    normal ``noise`` (g, fold, mels), where g counts the groups of frames that the decoder sees as
    one, and returns a spectrogram of that shape. ``vocoder`` takes ``mel`` (n, mels) and returns
    ``samples`` (n, hop). Each graph is compared with the model in its own runtime and timed. The
    model card records the result. A batch is the tokens, groups or frames of one text.

    Example: oneleap export voices/mine

    Args:
        run: Folder of a voice, of a run or of a model, or name of a shipped voice. Only a voice
            has a vocoder of its own.
        format: File format, for ONNX Runtime or for ``torch.export.load``.
        steps: Number of steps of the sampler; by default the model's own.
        speaker: Name of the speaker; by default the first one.
        vocoder: Folder of another vocoder or of its run.
        tolerance: Largest difference between graph and model that is accepted.
        out: Folder to write; by default that of the voice or model, and export/NAME for a shipped
            voice. Another folder gets a copy of the configuration and of the card, too.

    Raises:
        InputError: There is no voice in ``run``, or a graph differs from it.
    """
    from oneleap.core.cli.advice import example_line
    from oneleap.core.hub.export import export_graphs
    from oneleap.core.training.run import find_model
    from oneleap.domains.audio.vocoders.vocos import Vocos
    from oneleap.domains.audio.vocoders.vocos_onnx import vocoder_graph
    from oneleap.domains.speech.voice.graphs import build_graphs
    from oneleap.domains.speech.voice.loading import ACOUSTIC, find_voice, output_folder
    from oneleap.domains.speech.voice.voice import Voice

    source = find_voice(run)
    voice = Voice.load(source, vocoder=vocoder)
    graphs = build_graphs(voice.acoustic, speaker=voice.speaker_index(speaker), steps=steps)
    if isinstance(voice.vocoder, Vocos):
        graphs.append(vocoder_graph(voice.vocoder))
    model = find_model(source, ACOUSTIC).model
    own = source if (source / ACOUSTIC).is_dir() else model
    folder = output_folder(run, out, "export") or own
    if folder != own:
        copy_texts(own, model, folder)
    export_graphs(graphs, folder, format, tolerance)
    speaks = format == "onnx" and len(graphs) == 3
    print((example_line("speak_onnx.py", folder, "Hello.") if speaks else None) or folder)


def copy_texts(voice: Path, model: Path, folder: Path) -> None:
    """Copy the card of a voice and the configuration of its acoustic model.

    Args:
        voice: Folder of the voice.
        model: Folder of the acoustic model.
        folder: Folder to write.
    """
    from oneleap.core.files import atomic_write
    from oneleap.core.hub.pretrained import CARD, CONFIG

    for file in (model / CONFIG, voice / CARD):
        if file.is_file():
            with atomic_write(folder / file.name) as path:
                path.write_bytes(file.read_bytes())
