"""The action error of a policy on demonstrations: an evaluation that needs no environment."""

import math
import warnings

import torch
from rich.console import Console
from rich.table import Table

from oneleap.core.errors import InputError, Notice
from oneleap.core.sampling.samplers import Sampler
from oneleap.core.training.run import CONFIG, ModelPath
from oneleap.core.training.seed import step_generator
from oneleap.domains.robot.data.chunks import ChunkDataset, cut_chunks
from oneleap.domains.robot.data.datamodule import DemonstrationData, even_rows
from oneleap.domains.robot.data.robomimic import ReadOptions, open_file, read_demos
from oneleap.domains.robot.models.policy import RobotPolicy
from oneleap.domains.robot.spec import Spec

MAX_ROWS = 4096
"""Number of chunks at most."""

BATCH = 256
"""Number of chunks generated at once."""


def held_out_chunks(
    spec: Spec, path: str, horizon: int | None = None, action_key: str | None = None
) -> ChunkDataset:
    """Read chunks of a file's filter key ``valid``, or of all its demonstrations if it has none.

    Args:
        spec: Spec of the policy.
        path: HDF5 file.
        horizon: Number of actions in a chunk; by default the policy's.
        action_key: Name of the actions; by default as in training without a setting.

    Raises:
        InputError: The file lacks what the policy observes, or has other actions.
    """
    with open_file(path) as file:
        key = "valid" if "mask" in file and "valid" in file["mask"] else None
    options = ReadOptions(
        spec.obs_keys,
        spec.cameras,
        key,
        absolute=spec.absolute,
        action_key=action_key,
        env="none",
    )
    loaded = read_demos(path, options)
    _check(path, loaded.obs_sizes, loaded.demos.act.shape[1], spec)
    return cut_chunks(loaded.demos, spec.n_obs_steps, horizon or spec.horizon)


def _check(path: str, obs_sizes: tuple[int, ...], act_dim: int, spec: Spec) -> None:
    if (obs_sizes, act_dim) != (spec.obs_sizes, spec.act_dim):
        raise InputError(
            f"{path}: observations of {obs_sizes} numbers and actions of {act_dim}, the policy has "
            f"{spec.obs_sizes} and {spec.act_dim}"
        )


def evaluate_offline(
    policy: RobotPolicy,
    found: ModelPath,
    validation_data: str | None,
    sampler: Sampler | None,
    temperature: float | None,
    seed: int,
) -> dict[str, float]:
    """Measure the action error, and print it.

    ``action_error`` is the mean distance of generated from demonstrated actions, in their units;
    ``action_rmse`` is the root mean square of the normalized distance.

    Args:
        policy: Policy.
        found: Folder of the policy; its run says which demonstrations were held out.
        validation_data: HDF5 file; ``None`` takes the demonstrations that the run held out.
        sampler: Sampler; ``None`` is the policy's.
        temperature: Standard deviation of the noise; ``None`` is the policy's.
        seed: Seed of the noise.

    Returns:
        Figures by name.

    Raises:
        InputError: No file is named and the run does not name one, or it does not fit the policy.
    """
    if temperature is not None:
        if temperature < 0:
            raise InputError(f"temperature: {temperature} is negative")
        policy.temperature = temperature
    policy.sampler = policy.sampler if sampler is None else sampler
    source, chunks = _chunks(policy.spec, found, validation_data)
    figures = action_errors(policy.eval(), chunks, seed) | {"steps": float(policy.sampler.steps)}
    table = Table(title=f"without an environment: {source}", show_header=False)
    table.add_row("action error", f"{figures['action_error']:.4g} in the actions' units")
    table.add_row("normalized", f"{figures['action_rmse']:.4g} root mean square")
    table.add_row("chunks", f"{figures['chunks']:.0f}")
    Console().print(table)
    return figures


def _chunks(spec: Spec, found: ModelPath, path: str | None) -> tuple[str, ChunkDataset]:
    """Choose the demonstrations, and say where they come from."""
    from oneleap.core.cli.datamodule import load_datamodule

    run = found.run if found.run is not None and (found.run / CONFIG).is_file() else None
    data = None if run is None else load_datamodule(run)
    if path is not None:
        key = data.action_key if isinstance(data, DemonstrationData) else None
        return path, held_out_chunks(spec, path, action_key=key)
    if not isinstance(data, DemonstrationData):
        raise InputError(
            f"{found.model}: no environment and no demonstrations to evaluate on: name a file with "
            "--validation_data, or one of robosuite's environments with --env"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Notice)  # training has shown them
        loaded = data.held_out
    if loaded is None:
        warnings.warn(
            f"{data.path}: no demonstrations were held out: the error is that of the training "
            "demonstrations",
            Notice,
            stacklevel=2,
        )
        loaded = data.loaded
    _check(data.path, loaded.obs_sizes, loaded.demos.act.shape[1], spec)
    source = f"{data.path}, demonstrations: {len(loaded.demos.names)}"
    return source, cut_chunks(loaded.demos, spec.n_obs_steps, spec.horizon)


@torch.inference_mode()
def action_errors(policy: RobotPolicy, chunks: ChunkDataset, seed: int = 0) -> dict[str, float]:
    """Compute the action error of a policy on chunks.

    Args:
        policy: Policy.
        chunks: Chunks of demonstrations; at most :data:`MAX_ROWS` are used, spread evenly.
        seed: Seed of the noise.

    Returns:
        ``action_error``, ``action_rmse`` and ``chunks``, see :func:`evaluate_offline`.
    """
    rows = even_rows(len(chunks), MAX_ROWS)
    distance, square = 0.0, 0.0
    for number, k in enumerate(range(0, len(rows), BATCH)):
        some = rows[k : k + BATCH]
        error, scaled = policy.action_errors(
            chunks.batch(some), step_generator(seed, number, stream=2)
        )
        distance += len(some) * float(error.abs().mean())
        square += len(some) * float(scaled.square().mean())
    n = len(rows)
    return {
        "action_error": distance / n,
        "action_rmse": math.sqrt(square / n),
        "chunks": float(n),
    }
