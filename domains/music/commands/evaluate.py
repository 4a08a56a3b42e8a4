"""``oneleap evaluate`` for a composer: how well DITTO-2 and DITTO follow each control."""

from pathlib import Path

from oneleap.core.errors import InputError


def evaluate(
    run: Path,
    music: Path,
    tagger: Path | None = None,
    controls: tuple[str, ...] = ("intensity", "melody", "structure", "inpaint"),
    methods: tuple[str, ...] = ("free", "ditto2", "ditto"),
    targets: int = 20,
    ditto_targets: int | None = None,
    seeds: int = 3,
    seconds: float = 6.0,
    lr: float = 0.02,
    steps: int | None = None,
    tags: tuple[str, ...] = (),
    seed: int = 0,
    rows: Path | None = None,
    json: Path | None = None,
) -> None:
    """Compare DITTO-2 with DITTO on the same base model, and with no control.

    ``error`` is the metric of each control for the spectrogram: intensity dB^2, melody accuracy,
    structure MSE, inpainting MSE, or the probability of a tag that musicnn is to recognize.
    ``audio error`` is the same metric for the audio from the vocoder. ``frechet`` is the squared
    Fréchet distance of musicnn embeddings to held-out music. ``of music`` is this distance between
    two sets of real music of the same sizes, which shows the bias of the estimate. ``s/clip`` is
    the time per clip; the clips of all seeds are generated at once.

    Example: oneleap evaluate composers/mine held-out --tagger musicnn_mtt.npz

    Args:
        run: Folder of a composer, or of a run; evaluation.json is written there.
        music: Folder of music that was not used for training.
        tagger: File of musicnn's weights; without it there are no Fréchet distances.
        controls: Controls to evaluate. The control ``tags`` needs a tagger and a trained vocoder.
        methods: Methods to compare; ``free`` means no control.
        targets: Number of targets of each control.
        ditto_targets: Number of targets for DITTO, which is slow; it gets the first ones.
        seeds: Number of clips for each target.
        seconds: Duration of a clip in seconds.
        lr: Learning rate of both methods.
        steps: Number of optimizer steps; the default is 70, and 150 for melody and structure.
        tags: Tags that the composer is conditioned on.
        seed: Seed of targets and noise.
        rows: File that each result is appended to. Results that it already has, with the same
            settings, are not computed again.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: If there is no such composer, a setting is out of range, or there is too
            little music.
    """
    if targets < 1 or seeds < 1:
        raise InputError(f"targets and seeds must be positive, not {targets} and {seeds}")
    if seed < 0:
        raise InputError(f"seed: must not be negative: {seed}")
    from rich.console import Console
    from rich.progress import Progress

    from oneleap.core.training.run import find_model
    from oneleap.domains.music.composer.composer import Composer
    from oneleap.domains.music.controls.musicnn import Tagger
    from oneleap.domains.music.evaluation.comparison import (
        evaluation_cases,
        load_held_out_clips,
        results_table,
        summarize,
    )
    from oneleap.domains.music.evaluation.runner import (
        METHODS,
        CaseRunner,
        append_result,
        open_results,
    )

    for method in methods:
        if method not in METHODS:
            raise InputError(f"methods: no '{method}' ({', '.join(METHODS)})")
    composer, found = Composer.load(run), find_model(run)
    found.check_output()
    network = None if tagger is None else Tagger.load(tagger)
    clips, reference = load_held_out_clips(composer, music, targets, seconds, network, seed)
    runner = CaseRunner(composer, network, seeds, seconds, lr, steps, tags, seed)
    given = {"composer": str(run), "music": str(music), "tagger": str(tagger), "targets": targets}
    results = open_results(rows, given | runner.settings)
    jobs = [
        (name, method, k, case)
        for name in controls
        for k, case in enumerate(evaluation_cases(name, composer, clips, network, seed))
        for method in methods
        if method != "ditto" or k < (targets if ditto_targets is None else ditto_targets)
    ]
    with Progress(console=Console(stderr=True)) as bar:
        for name, method, k, case in bar.track(jobs, description="evaluating"):
            if (name, method, k) not in results:
                results[name, method, k] = runner(name, method, k, case)
                append_result(rows, results[name, method, k])
    wanted = [results[name, method, k] for name, method, k, _ in jobs]
    figures = summarize(wanted, reference)
    Console().print(results_table(wanted, figures))
    found.write_evaluation(figures, json)
