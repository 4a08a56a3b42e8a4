"""Which demonstrations of a file are held out for validation."""

from collections.abc import Sequence
from typing import Any

from oneleap.core.errors import InputError

Validation = float | str | None
"""Share of the demonstrations, or name of a filter key; ``None`` chooses.

See :func:`default_validation`.
"""

WITHOUT_ENVIRONMENT = 0.1
"""Share held out by default if a policy cannot be evaluated in an environment."""


def default_validation(file: Any, filter_key: str | None, evaluable: bool) -> float | str:
    """Choose what is held out: the filter key ``valid`` if training uses ``train``.

    If the policy cannot be evaluated in an environment, a tenth is held out, or the filter key
    ``valid`` if there is one. Otherwise nothing is.

    Args:
        file: The open file.
        filter_key: Selection for training; ``None`` is all demonstrations.
        evaluable: Whether there is an environment to evaluate in.
    """
    masks = file.get("mask", {})
    if "valid" in masks and len(masks["valid"]) and filter_key in (None, "train"):
        return "valid" if filter_key == "train" or not evaluable else 0.0
    return 0.0 if evaluable else WITHOUT_ENVIRONMENT


def split_names(
    path: str, names: Sequence[str], chosen: Sequence[str] | None, share: float | str
) -> tuple[list[str], list[str]]:
    """Split demonstrations into those for training and those held out.

    Args:
        path: Path of the file, for messages.
        names: Demonstrations, in order.
        chosen: Demonstrations to hold out; ``None`` holds out a share.
        share: Share to hold out, spread evenly; at least one of two or more if it is above 0.

    Raises:
        InputError: The share is not from 0 to 1, or nothing is left for training.
    """
    if chosen is not None:
        valid = list(chosen)
    else:
        number = float(share)
        if not 0 <= number < 1:
            raise InputError(f"validation: {number} is not a share from 0 to 1")
        every = max(2, round(1 / number)) if number else len(names) + 1
        valid = list(names[every - 1 :: every])
        if number and not valid and len(names) > 1:
            valid = [names[-1]]
    train = [name for name in names if name not in set(valid)]
    if not train:
        raise InputError(f"{path}: validation holds out every demonstration, none is left to train")
    return train, valid
