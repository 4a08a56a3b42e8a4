"""``torch.compile`` where it works, plain PyTorch where it does not.

Dynamo and Inductor are imported by the first call of :func:`compiled`, not before: they take
longer to import than a small model takes to run.
"""

import logging
import warnings
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import torch

from oneleap.core.errors import Notice
from oneleap.core.fields.jvp import load_jvp_rules

P = ParamSpec("P")
R = TypeVar("R")


def keep_memory() -> None:
    """Have the C library keep what a step frees, up to 64 MiB, for the next.

    glibc gives freed memory back to the system where it ends the heap, as it does in some processes
    and in others not; there, each step faults its pages in anew, at a quarter of its time. The
    amount it keeps follows the largest block that was ever freed, up to 32 MiB.
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8)


def _of_arguments(guards: list[Any]) -> list[bool]:
    """Which guards of a compiled method are about its arguments or the state of torch."""
    return [not (g.is_global or g.name.startswith("self")) for g in guards]


def compiled(
    function: Callable[P, R], *, native: bool = True, fixed: bool = False
) -> Callable[P, R]:
    """Compile ``function`` as one graph at its first call, and anew for each other shape.

    A machine without a C++ compiler, Python's headers or a GPU that Triton serves gets a warning
    and the plain function: same results, several times slower. So do shapes beyond the number
    that torch compiles one function for, eight by default. A call that fails to compile is
    repeated plainly; it has done nothing yet.

    Args:
        function: To compile.
        native: On a CPU, call the kernels from C++: those of a small network are so short that
            Python between them shows. A C++ compiler takes this for one function, and many
            minutes for it where the graph is that of a long chain.
        fixed: Of a method: all it reads but its arguments stays as it is, modules, their settings
            and the places of their weights. Asking after them before each call takes a twentieth
            of a small network's step.
    """
    from torch._dynamo.exc import FailOnRecompileLimitHit
    from torch._inductor.exc import GPUTooOldForTriton, InductorError, TritonMissing

    from oneleap.core.training.graph_pass import DropZeroProducts

    load_jvp_rules()
    options: dict[str, str | int | bool | Callable[..., object]] = {
        "cpp_wrapper": native and not torch.cuda.is_available(),
        "joint_custom_pre_pass": DropZeroProducts(),
    }
    if fixed:
        options["guard_filter_fn"] = _of_arguments
    keep_memory()
    # "No CUDA runtime is found": no news to whom has no GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    compile_: Callable[..., Callable[P, R]] = torch.compile  # its overloads lack the last argument
    # What else in this process was compiled from the same code is none of this function's business.
    fast = compile_(
        function, fullgraph=True, dynamic=False, options=options, isolate_recompiles=True
    )
    told: list[str] = []
    chosen = [fast]

    def tell(note: str) -> None:
        if note not in told:
            told.append(note)
            warnings.warn(note, Notice, stacklevel=3)

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return chosen[0](*args, **kwargs)
        except FailOnRecompileLimitHit:
            tell("batches of further shapes run uncompiled, several times slower")
        except (InductorError, TritonMissing, GPUTooOldForTriton) as error:
            tell(f"training runs uncompiled, several times slower: {str(error).splitlines()[0]}")
            chosen[0] = function
        return function(*args, **kwargs)

    return call
