"""``oneleap evaluate`` for speech: how well voices are recognized, how they sound, and speed."""

from pathlib import Path

from oneleap.core.errors import InputError


def evaluate(
    run: Path,
    compare: list[str] | None = None,
    steps: tuple[int, ...] = (),
    sentences: Path | None = None,
    limit: int = 80,
    vocoder: str | None = None,
    speaker: str | None = None,
    asr_model: str | None = None,
    seed: int = 0,
    out: Path | None = None,
    json: Path | None = None,
) -> None:
    """Speak sentences that are in no training data, and measure the sounds.

    ``wer`` is the word error rate of a speech recognizer, with its 95 % interval. ``dnsmos`` is
    the predicted rating of listeners. ``mel_l1`` is the mean difference of natural-log mel
    spectrograms to recordings that training held out, at the timing of the recordings.
    ``acoustic_rtf`` is the time of the acoustic model and ``rtf`` the total time, one sentence at
    a time, divided by the duration of the sound. The recordings, and their copies by the vocoder,
    are measured for comparison. The command needs the extra ``eval``.

    Example: oneleap evaluate runs/speech/splitmeanflow_ljspeech/0 --steps [1,2]

    Args:
        run: Folder of a run or of a voice, or name of a shipped voice.
        compare: Run or voice to compare with, such as the teacher, at its own number of steps; may
            be given several times.
        steps: Numbers of steps of RUN; by default the model's own, or 1, 2 and 4 for a model with
            a flow-map sampler.
        sentences: Text file with one sentence per line; by default 80 Harvard sentences.
        limit: Largest number of sentences and of recordings.
        vocoder: Folder of a vocoder; by default the vocoder of a voice, or Griffin-Lim.
        speaker: Name of the speaker; by default the first one.
        asr_model: Folder or hub name of a Whisper model; by default whisper-base from two Python
            packages.
        seed: Seed of the noise.
        out: Folder for evaluation.json and spectrograms.png; by default that of the run or voice,
            and evaluation/NAME for a shipped voice.
        json: Also write the figures to this file as a JSON object.

    Raises:
        InputError: There is no such model, or there are no sentences.
    """
    if limit < 1:
        raise InputError(f"limit: {limit} is not positive")
    from rich.console import Console

    from oneleap.core.training.run import ModelPath
    from oneleap.domains.speech.evaluation import comparison
    from oneleap.domains.speech.evaluation.recognition import Recognizer
    from oneleap.domains.speech.evaluation.sentences import read_sentences
    from oneleap.domains.speech.voice.loading import find_home, find_voice, output_folder

    texts = read_sentences(sentences)[:limit]
    runs = [find_voice(name) for name in (run, *(compare or ()))]
    chosen = output_folder(run, out, "evaluation")
    home = find_home(runs[0]) if chosen is None else ModelPath(chosen, None)
    home.check_output()
    candidates = list(comparison.load_candidates(runs, steps, vocoder, speaker))
    recognizer = Recognizer(asr_model, candidates[0].voice.acoustic.spec.language[:2])
    rows = comparison.measure_all(
        candidates, texts, recognizer, speaker=speaker, seed=seed, limit=limit
    )
    table = {title: figures for (title, _), figures in rows.items()}
    Console().print(comparison.format_table(table, str(run)))
    if candidates[0].held_out is not None:
        plot = home.home / "spectrograms.png"
        comparison.plot_comparison(candidates, plot)
        print(f"plot: {plot}")
    figures = {"sentences": float(len(texts)), "seed": float(seed)}
    for (_, key), values in rows.items():
        figures |= {f"{key}_{name}": value for name, value in values.items()}
    home.write_evaluation(figures, json)
