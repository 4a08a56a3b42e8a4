"""``oneleap export`` for singers: a folder of ONNX graphs in openvpi's format, for its editors."""

import json
from pathlib import Path

import yaml

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.domains.singing.openvpi.dsconfig import configuration_files
from oneleap.domains.singing.openvpi.singer_graphs import singer_graphs, write_graph
from oneleap.domains.singing.voice import loading as store
from oneleap.domains.singing.voice.singer import Singer


def export(run: Path, out: Path | None = None) -> None:
    """Write a singer as ONNX graphs with configuration files, in openvpi's format.

    The folder gets ``dsconfig.yaml``, ``phonemes.json`` and the acoustic graph, and the folders
    ``dsdur`` for durations, ``dspitch`` for pitch and ``dsvocoder`` for the vocoder. Names, shapes
    and types are those of the exporters of openvpi/DiffSinger; the opset is 18 instead of 17. Each
    graph is compared with its model. A graph contains its noise, so its results are repeatable. If
    the acoustic model is conditioned on energy and breathiness, they are inputs of its graph; the
    variance model that predicts them is not exported.

    Example: oneleap export singers/mine/acoustic --out dsvoice

    Args:
        run: Folder of a singer, or of its acoustic model next to the other parts.
        out: Folder to write; by default ``onnx`` in the singer's folder.

    Raises:
        InputError: There is no singer, or a graph differs from its model.
    """
    folder = run if (run / store.ACOUSTIC).is_dir() else run.resolve().parent
    if not (folder / store.ACOUSTIC).is_dir():
        raise InputError(
            f"{run}: a graph needs all parts of a singer: pack them with oneleap singer, then "
            "oneleap export FOLDER/acoustic"
        )
    singer = Singer.load(folder)
    spec = singer.acoustic.spec
    if spec.mel.n_fft % spec.mel.hop:
        raise InputError(
            f"mel.n_fft is {spec.mel.n_fft}; it must be a multiple of the hop, {spec.mel.hop}"
        )
    name, out = folder.name, folder / "onnx" if out is None else out
    files = configuration_files(singer, name)
    for graph in singer_graphs(singer, name):
        path = out / graph.path
        gap = write_graph(graph, singer, path)
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, largest difference {gap:.1e}")
    for file, values in files.items():
        with replacing(out / file) as path:
            path.write_text(yaml.safe_dump(values, sort_keys=False), encoding="utf-8")
    numbers = {"<PAD>": 0} | {phoneme: i + 1 for i, phoneme in enumerate(spec.phonemes)}
    with replacing(out / "phonemes.json") as path:
        path.write_text(json.dumps(numbers, ensure_ascii=False, indent=1), encoding="utf-8")
