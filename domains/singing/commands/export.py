"""``oneleap export`` for singers: ONNX graphs in openvpi's format."""

import json
from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.outputs import check_output


def export(run: Path, out: Path | None = None, dictionary: Path | None = None) -> None:
    """Export a singer as ONNX graphs in openvpi's format, with their configuration files.

    ``dsconfig.yaml``, ``phonemes.json`` and the acoustic graph are written to the folder, graphs
    of durations to ``dsdur``, of pitch to ``dspitch``, and the vocoder to ``dsvocoder``. Names,
    shapes and types are those of openvpi/DiffSinger's exporters, and each graph is compared with
    its model. The noise is a table in the graph, so results can be repeated. The opset is 18, where
    openvpi has 17. OpenUtau finds the singer by ``character.txt`` and ``character.yaml``, and reads
    lyrics by ``dsdict.yaml``. A voice that is conditioned on energy and breathiness takes them as
    inputs; the model that predicts them is not exported.

    Example: oneleap export singers/mine --out dsvoice

    Args:
        run: Folder of a packed singer, or of one of its models.
        out: Folder to write; by default ``onnx`` in the folder of the singer.
        dictionary: Dictionary of the singer's language in openvpi's format; by default Japanese.

    Raises:
        InputError: There is no singer, or a graph differs from its model.
    """
    import yaml

    from oneleap.core.files import atomic_write
    from oneleap.domains.singing.lyrics.phonemizer import Phonemizer, read_dictionary
    from oneleap.domains.singing.openvpi import openutau
    from oneleap.domains.singing.openvpi.dsconfig import configuration_files, has_own_phonemes
    from oneleap.domains.singing.openvpi.singer_graphs import singer_graphs, write_graph
    from oneleap.domains.singing.voice.loading import ACOUSTIC
    from oneleap.domains.singing.voice.singer import Singer

    folder = run if (run / ACOUSTIC).is_dir() else run.resolve().parent
    if not (folder / ACOUSTIC).is_dir():
        raise InputError(
            f"{run}: an export needs all models of a singer: pack them with oneleap singer, then "
            "oneleap export FOLDER"
        )
    out = folder / "onnx" if out is None else out
    check_output(out)
    singer = Singer.load(folder)
    spec = singer.acoustic.spec
    if spec.mel.n_fft % spec.mel.hop:
        raise InputError(
            f"mel: n_fft {spec.mel.n_fft} is not a multiple of hop {spec.mel.hop}: this singer "
            "cannot be exported"
        )
    name = folder.resolve().name
    words = Phonemizer.of_language(spec.language) if spec.language else None
    if dictionary is not None:
        words = read_dictionary(dictionary)
    files = configuration_files(singer, name)
    files["character.yaml"] = openutau.character_yaml(name, "" if dictionary else spec.language)
    for place in openutau.DICTIONARIES:
        part = singer.durations if place.startswith("dsdur/") else singer.acoustic
        files[place] = openutau.dictionary(part.spec.phonemes, words)
    for graph in singer_graphs(singer, name):
        path = out / graph.path
        gap = write_graph(graph, singer, path)
        print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB, largest difference {gap:.1e}")
    for file, values in files.items():
        with atomic_write(out / file) as path:
            text = yaml.safe_dump(values, sort_keys=False, allow_unicode=True)
            path.write_text(text, encoding="utf-8")
    with atomic_write(out / "character.txt") as path:
        path.write_text(openutau.character_txt(name), encoding="utf-8")
    tables = {"phonemes.json": spec}
    if has_own_phonemes(singer):
        tables["dsdur/phonemes.json"] = singer.durations.spec
    for place, table in tables.items():
        numbers = {"<PAD>": 0} | table.tokens
        with atomic_write(out / place) as path:
            path.write_text(json.dumps(numbers, ensure_ascii=False, indent=1), encoding="utf-8")
