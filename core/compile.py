"""``torch.compile`` where it works, plain PyTorch where it does not."""

import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

P = ParamSpec("P")
R = TypeVar("R")


def compiled(function: Callable[P, R]) -> Callable[P, R]:
    """Compile ``function`` as one graph at its first call.

    A machine without a C++ compiler or Python's headers gets a warning and the plain function:
    same results, several times slower. ``function`` must have no side effects, since the failed
    first call is repeated.
    """
    # On a CPU the kernels of a small network are so short that Python between them shows.
    options: dict[str, str | int | bool | Callable[..., object]]
    options = {"cpp_wrapper": not torch.cuda.is_available()}
    fast = torch.compile(function, fullgraph=True, dynamic=False, options=options)
    chosen: list[Callable[P, R]] = []

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        if chosen:
            return chosen[0](*args, **kwargs)
        try:
            result = fast(*args, **kwargs)
        except torch._inductor.exc.InductorError as error:
            reason = str(error).splitlines()[0]
            warnings.warn(f"training runs uncompiled, several times slower: {reason}", stacklevel=2)
            chosen.append(function)
            return function(*args, **kwargs)
        chosen.append(fast)
        return result

    return call
