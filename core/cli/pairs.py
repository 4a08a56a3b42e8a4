"""``oneleap pairs``: store pairs of noise and the data that a trained model makes of it."""

from itertools import islice
from pathlib import Path

import torch

from oneleap.core.cli.datamodule import load_datamodule
from oneleap.core.errors import InputError
from oneleap.core.fields.flow_map import teacher_pairs
from oneleap.core.fields.guidance import GuidedField, unconditional
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.objectives.pairing.stored import PairedBatch, fields_of, write_pairs
from oneleap.core.sampling.shallow import blend
from oneleap.core.training.model import GenerativeModel
from oneleap.core.training.run import MODEL
from oneleap.core.training.seed import Step
from oneleap.core.types import noise_like


@torch.no_grad()
def pairs(
    run: Path,
    out: Path = Path("pairs.safetensors"),
    batches: int = 64,
    steps: int = 25,
    heun: bool = True,
    guidance: float | None = None,
    seed: int = 0,
) -> None:
    """Store pairs of noise and the data that the model of a run makes of it.

    Batches of the run's data give the conditions. Train a student with
    ``--model.objective=StoredPairs --model.objective.path=FILE``.

    Example: oneleap pairs runs/flow --out pairs.safetensors --batches 64

    Args:
        run: Folder of the run of a multi-step model.
        out: File to write.
        batches: Number of batches.
        steps: Steps of the model's ODE.
        heun: Whether to take Heun's steps, which cost two evaluations each, instead of Euler's.
        guidance: Guidance scale, for a model with droppable conditions.
        seed: Seed of the noise.

    Raises:
        InputError: If a number is too small, or the run has no generative model or no data.
    """
    if min(batches, steps) < 1:
        raise InputError(f"batches {batches}, steps {steps}: both must be at least 1")
    model = load_pretrained(run / MODEL)
    if not isinstance(model, GenerativeModel):
        raise InputError(f"{run / MODEL} holds a {type(model).__name__}, which makes no pairs")
    data = load_datamodule(run)
    data.prepare_data()
    data.setup("fit")
    made: list[PairedBatch] = []
    for k, batch in enumerate(islice(data.train_dataloader(), batches)):
        step = Step(seed=seed, batch=k)
        prepared = model.prepare(batch, step)
        bound = model.bind(prepared, model.average)
        teacher, e = bound.field, noise_like(bound.x, step.generator())
        if guidance is not None:
            null = unconditional(teacher, bound.x.new_ones(len(bound.x)))
            teacher = GuidedField(teacher, null, guidance)
        start = blend(bound.x, e, bound.depth)
        _, x = teacher_pairs(teacher, start, steps=steps, heun=heun)
        made.append(PairedBatch(tuple(fields_of(prepared)), e, x))
    about = {"model": type(model).__name__, "steps": str(steps), "guidance": str(guidance)}
    write_pairs(out, made, about)
    print(f"pairs: {out}, {sum(len(pair.e) for pair in made)} rows in {len(made)} batches")
