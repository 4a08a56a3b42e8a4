"""``oneleap boundary``: where sampling from a coarse spectrogram may start."""

from json import dumps
from pathlib import Path


def boundary(
    run: Path,
    candidates: tuple[int, ...] = (10, 20, 30, 40, 50, 60, 70, 80, 90, 100),
    steps: int = 500,
    limit: int = 8,
    seed: int = 0,
) -> None:
    """Find the diffusion step K at which sampling from a coarse spectrogram may start.

    Two methods are used. DiffSinger's boundary prediction trains a classifier and takes the step
    at which it no longer tells diffused recordings from diffused coarse spectrograms. The other
    method takes the candidate whose samples are closest to recordings of the validation songs.
    Both results are written to RUN/boundary.json.

    Example: oneleap boundary runs/singing/diffsinger/0

    Args:
        run: Folder of the run of an acoustic model.
        candidates: Steps to compare by distance.
        steps: Training steps of the classifier.
        limit: Largest number of phrases.
        seed: Seed of all random numbers.

    Raises:
        InputError: ``run`` holds no acoustic model, or a candidate is not a step of the schedule.
    """
    from rich.console import Console
    from rich.table import Table

    from oneleap.core.files import atomic_write
    from oneleap.core.outputs import check_output
    from oneleap.core.training.run import find_model
    from oneleap.domains.singing.evaluation.boundary import find_boundary
    from oneleap.domains.singing.voice.loading import ACOUSTIC

    file = find_model(run, ACOUSTIC).home / "boundary.json"
    check_output(file)
    found = find_boundary(run, candidates, steps=steps, limit=limit, seed=seed)
    table = Table("K", "mel L1", title=f"Shallow start of {run}")
    for k, gap in found.mel_l1.items():
        table.add_row(str(k), f"{gap:.4f}")
    Console().print(table)
    print(f"K by the classifier: {found.classifier}; by distance: {found.distance}")
    with atomic_write(file) as path:
        path.write_text(dumps(vars(found), indent=2) + "\n", encoding="utf-8")
