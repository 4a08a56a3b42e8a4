"""``oneleap export`` for vocoders: a graph from a spectrogram to samples."""

from pathlib import Path
from typing import Literal

from oneleap.core.errors import InputError


def export(run: Path, format: Literal["onnx", "pt2"] = "onnx", tolerance: float = 1e-3) -> None:
    """Export a vocoder as one graph from ``mel`` (n, mels), normalized, to ``samples`` (n, hop).

    The graph of a source-filter vocoder also takes ``f0`` (n,), in Hz and 0 in unvoiced frames.
    The graph is written to the folder of the model, compared with the vocoder in its own runtime,
    and timed. The model card reports the result. The batch of the graph is the frames of one sound.

    Example: oneleap export runs/audio/vocos_speech/0

    Args:
        run: Folder of a run, of a vocoder, or of a packed voice.
        format: File format of the graph: onnx for ONNX Runtime, pt2 for torch.export.load.
        tolerance: Largest allowed difference from the vocoder; full scale is 1.

    Raises:
        InputError: ``run`` holds no vocoder, or the graph differs from it.
    """
    from oneleap.core.hub.export import export_graphs
    from oneleap.core.hub.pretrained import load_pretrained
    from oneleap.core.training.run import find_model
    from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
    from oneleap.domains.audio.vocoders.source_filter_onnx import source_filter_graph
    from oneleap.domains.audio.vocoders.vocos import Vocos
    from oneleap.domains.audio.vocoders.vocos_onnx import vocoder_graph

    folder = find_model(run, "vocoder").model
    vocoder = load_pretrained(folder)
    if isinstance(vocoder, SourceFilterVocoder):
        graph = source_filter_graph(vocoder.eval())
    elif isinstance(vocoder, Vocos):
        graph = vocoder_graph(vocoder.eval())
    else:
        raise InputError(
            f"{folder} holds a {type(vocoder).__name__}, not a Vocos or SourceFilterVocoder"
        )
    export_graphs([graph], folder, format, tolerance)
