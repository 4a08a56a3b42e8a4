"""Reads robomimic's HDF5 files, v0.1 to v1.5, and files of real robots in the same layout.

Each fault of a file is reported in one line that names the demonstration and the key.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.core.errors import InputError, suggest
from oneleap.core.reading.guard import reading, reason_of
from oneleap.domains.robot.data.chunks import Demos
from oneleap.domains.robot.data.demo_reader import ActionForm, DemoReader, action_form
from oneleap.domains.robot.data.environment import choose_env_args
from oneleap.domains.robot.data.frames import CompressedImages, compress_images
from oneleap.domains.robot.data.split import Validation, default_validation, split_names
from oneleap.domains.robot.envs.control import pose_controllers
from oneleap.domains.robot.envs.task import Task, read_env_args, unknown_name

PAGE = "docs/howto/data-robot.md"
"""Page of the documentation that says what a file must hold."""


class ReadOptions(NamedTuple):
    """What to read from a file.

    Attributes:
        obs: Keys of low-dimensional observations.
        cameras: Keys of images.
        filter_key: Name of a selection of demonstrations; ``None`` reads all of them.
        max_demos: Number of demonstrations to read at most, from the first; ``None`` reads all.
        absolute: Whether actions are absolute poses; ``None`` follows the file.
        action_key: Name of the actions; ``None`` chooses, see
            :func:`oneleap.domains.robot.data.demo_reader.action_form`.
        env: Name of an environment of robosuite, or ``none``; ``None`` follows the file.
        validation: Demonstrations held out, see :mod:`oneleap.domains.robot.data.split`.
    """

    obs: tuple[str, ...]
    cameras: tuple[str, ...] = ()
    filter_key: str | None = None
    max_demos: int | None = None
    absolute: bool | None = None
    action_key: str | None = None
    env: str | None = None
    validation: Validation = 0.0


class LoadedDemos(NamedTuple):
    """Contents of a file.

    Attributes:
        demos: The demonstrations.
        obs_sizes: Size of each low-dimensional observation.
        env_args: Description of the environment to evaluate in; ``None`` if there is none.
        form: Where the actions are, and whether they are poses.
        held_out: Names of the demonstrations that are held out.
        notes: What a user should know, one line each.
    """

    demos: Demos
    obs_sizes: tuple[int, ...]
    env_args: str | None
    form: ActionForm
    held_out: tuple[str, ...]
    notes: tuple[str, ...]


@contextmanager
def open_file(path: str) -> Iterator[Any]:
    """Open an HDF5 file for reading. Every refusal names the page that describes such files.

    Raises:
        InputError: The file is missing, damaged, or not in robomimic's layout.
    """
    try:
        with _open(path) as file:
            yield file
    except InputError as error:
        raise InputError(f"{error} (what a file must hold: {PAGE})") from error.__cause__


@contextmanager
def _open(path: str) -> Iterator[Any]:
    import h5py

    place = Path(path).expanduser()
    if place.is_dir():
        raise InputError(f"{path}: is a folder; name the HDF5 file")
    try:
        file = h5py.File(place, "r")
    except FileNotFoundError:
        raise InputError(
            f"{path}: no such file; make one with oneleap collect robosuite, or download "
            "robomimic's from huggingface.co, amandlek/robomimic"
        ) from None
    except Exception as error:  # damaged bytes
        reason = reason_of(error)
        raise InputError(f"{path}: damaged, or not an HDF5 file ({reason})") from None
    with reading(path, "in robomimic's layout"), file:
        yield file


def read_demos(path: str, options: ReadOptions, held_out: bool = False) -> LoadedDemos:
    """Read demonstrations: those for training, or those held out.

    Demonstrations without a step are left out, and counted in the notes.

    Raises:
        InputError: A demonstration or key is missing, arrays differ in length or size, numbers
            are not finite, actions are discrete, or ``env_args`` is unreadable. The message names
            the first fault.
    """
    with open_file(path) as file:
        if "data" not in file:
            raise InputError(f"{path}: no group 'data': is the file in robomimic's layout?")
        where = f"{path}: data: env_args"
        stored = file["data"].attrs.get("env_args")
        args = _env_args(stored, where, options.env)
        env_args, notes = choose_env_args(args, options.env, where)
        known = demo_names(path, file, options.filter_key)[: options.max_demos]
        split = options.validation
        if split is None:
            evaluable = env_args is not None and unknown_name(Task(env_args).name) is None
            split = default_validation(file, options.filter_key, evaluable)
        chosen = demo_names(path, file, split) if isinstance(split, str) else None
        train, valid = split_names(path, known, chosen, split)
        names = valid if held_out else train
        form = action_form(file["data"][known[0]], args, options.action_key, options.absolute)
        demos, obs_sizes, empty = _read(path, file, names, options, form)
        if empty:
            notes += [f"{path}: {empty} of {len(names)} demonstrations have no steps: left out"]
        notes += _action_notes(path, demos, form, args)
        return LoadedDemos(demos, obs_sizes, env_args, form, tuple(valid), tuple(notes))


def _env_args(stored: object, where: str, env: str | None) -> dict[str, Any] | None:
    """Read the description of the environment; a damaged one is none if none is wanted."""
    try:
        return read_env_args(stored, where)
    except InputError as error:
        if env == "none":
            return None
        raise InputError(f"{error}; --data.env none trains without an environment") from None


def _read(
    path: str, file: Any, names: Sequence[str], options: ReadOptions, form: ActionForm
) -> tuple[Demos, tuple[int, ...], int]:
    """Read demonstrations, the sizes of their observations, and the number of empty ones."""
    kept, obs, act = list[str](), list[NDArray[np.float32]](), list[NDArray[np.float32]]()
    compressed: dict[str, list[bytes]] = {key: [] for key in options.cameras}
    sizes: dict[str, tuple[int, ...]] = {}
    for name in names:
        demo = DemoReader(f"{path}: {name}", file["data"][name], sizes)
        found = demo.actions(form)
        if not len(found):
            continue
        kept.append(name)
        act.append(found)
        columns = [demo.low_dim(key, len(found)) for key in options.obs]
        obs.append(np.concatenate(columns, axis=1))
        for key in options.cameras:
            compressed[key] += compress_images(demo.images(key, len(found)))
        demo.check_cameras(options.cameras)
    if not kept:
        raise InputError(f"{path}: none of {len(names)} demonstrations has a step")
    demos = Demos(
        torch.from_numpy(np.concatenate(obs)),
        torch.from_numpy(np.concatenate(act)),
        torch.from_numpy(np.cumsum([0, *map(len, act)])),
        tuple(kept),
        {
            key: CompressedImages(tuple(images), (sizes[key][0], sizes[key][1]))
            for key, images in compressed.items()
        },
    )
    return demos, tuple(sizes[key][0] for key in options.obs), len(names) - len(kept)


def _action_notes(
    path: str, demos: Demos, form: ActionForm, args: Mapping[str, Any] | None
) -> list[str]:
    """Refuse discrete actions that are stored as floats, and note offsets that cannot be some.

    Raises:
        InputError: Actions are one column of the numbers 0, 1, 2 and so on.
    """
    act = demos.act
    if act.shape[1] == 1 and act.min() >= 0 and act.max() >= 2 and bool((act == act.round()).all()):
        raise InputError(
            f"{path}: {form.key} are the whole numbers 0 to {int(act.max())}: robot policies have "
            "no discrete actions"
        )
    controllers = pose_controllers(args or {})
    limits = [c.get("input_max", 1) for c in controllers]
    if form.absolute or not limits or not all(isinstance(x, int | float) for x in limits):
        return []
    top, column = act.abs().amax(0).max(0)
    if float(top) <= 1.01 * max(limits):
        return []
    return [
        f"{path}: {form.key} reaches {float(top):.3g} in column {int(column)}, which offsets from "
        f"-{max(limits)} to {max(limits)} cannot: if they are poses, set --data.absolute true"
    ]


def demo_names(path: str, file: Any, filter_key: str | None) -> list[str]:
    """List the demonstrations of a file in the order of their numbers.

    Args:
        path: Path of the file, for messages.
        file: The open file.
        filter_key: Name of a selection; ``None`` lists all demonstrations.

    Raises:
        InputError: There are no demonstrations, the filter key is missing, or it names a
            demonstration that is missing.
    """
    known = set(file["data"])
    if filter_key is None:
        names = known
    else:
        masks = list(file["mask"]) if "mask" in file else []
        if filter_key not in masks:
            have = ", ".join(masks) or "none"
            raise InputError(
                f"{path}: no filter key '{filter_key}'{suggest(filter_key, masks)} (it has {have})"
            )
        stored = file["mask"][filter_key][()]
        names = {n.decode() if isinstance(n, bytes) else str(n) for n in stored}
        if names - known:
            raise InputError(f"{path}: mask/{filter_key} names {min(names - known)}, not in data")
    if not names:
        raise InputError(f"{path}: the file has no demonstrations")
    return sorted(names, key=lambda name: (int("0" + "".join(filter(str.isdigit, name))), name))
