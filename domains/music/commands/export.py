"""``oneleap export`` for a composer: noise and tags to samples, as one graph."""

from pathlib import Path
from typing import Literal


def export(
    composer: Path,
    format: Literal["onnx", "pt2"] = "onnx",
    seconds: float = 6.0,
    tolerance: float = 1e-3,
) -> None:
    """Write a composer's student and vocoder as one graph, normalization included.

    The inputs are standard normal ``noise`` (n, mels, frames) of ``seconds``; ``tags`` (n, k), 1
    where a tag of the model's ``config.json`` applies, if it has any; and a ``guidance`` scale
    (n), if the student takes one. The output ``wave`` is (n, samples). The graph is written to
    the composer's folder, compared with the composer in its own runtime, and timed. The model
    card states the result.

    Example: oneleap export composers/mine --seconds 6

    Args:
        composer: Folder of a composer, as ``oneleap composer`` makes it.
        format: File format of the graph: onnx for ONNX Runtime, pt2 for torch.export.load.
        seconds: Duration of a clip in seconds.
        tolerance: Largest allowed difference of a sample; full scale is 1.

    Raises:
        InputError: If there is no such composer, or the graph differs from it.
    """
    from oneleap.core.hub.export import export_graphs
    from oneleap.domains.music.composer.composer import Composer
    from oneleap.domains.music.composer.graph import composer_graph

    loaded = Composer.load(composer)
    (path,) = export_graphs([composer_graph(loaded, seconds)], composer, format, tolerance)
    print(path)
