"""``torch.compile`` with a fallback to plain PyTorch.

:func:`compiled` imports Dynamo and Inductor at its first call, because importing them takes longer
than running a small model.
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


def retain_freed_memory() -> None:
    """Make the C library keep up to 64 MiB that a step frees for the next step.

    In some processes, glibc returns freed memory at the end of the heap to the system. Each step
    then faults its pages in anew, which takes a quarter of its time. The amount that glibc keeps
    follows the largest block that was ever freed, up to 32 MiB.
    """
    torch.empty(2**25 - 2**16, dtype=torch.uint8)


def _argument_guards(guards: list[Any]) -> list[bool]:
    """Select the guards of a compiled method on its arguments and on the state of torch."""
    return [not (g.is_global or g.name.startswith("self")) for g in guards]


def compiled(
    function: Callable[P, R], *, native: bool = True, fixed: bool = False
) -> Callable[P, R]:
    """Compile ``function`` as one graph at its first call, and again for each new shape.

    Without a C++ compiler, Python's headers or a GPU that Triton supports, a warning is given and
    the plain function runs: same results, several times slower. The fallback also applies to
    shapes beyond torch's limit for one function, eight by default. If a call fails to compile, it
    is repeated without compilation; it had no effects before.

    Args:
        function: Function to compile.
        native: Whether to call the kernels from C++ on a CPU. This removes Python's overhead, which
            matters for the short kernels of a small network. All calls become one C++ function; for
            the graph of a long chain, compiling it takes many minutes.
        fixed: Whether everything that a method reads, except its arguments, stays constant:
            modules, their settings and the addresses of their weights. Checking them before each
            call takes a twentieth of a small network's step.

    Returns:
        A function with the signature of ``function``.
    """
    from torch._dynamo.exc import FailOnRecompileLimitHit
    from torch._inductor.exc import GPUTooOldForTriton, InductorError, TritonMissing

    from oneleap.core.training.graph_pass import DropZeroProducts

    load_jvp_rules()
    # With several processes, Dynamo would cut the graph where gradients are exchanged; a cut within
    # a derivative is wrong. Without cuts the exchange follows each backward pass.
    torch._dynamo.config.optimize_ddp = False
    options: dict[str, str | int | bool | Callable[..., object]] = {
        "cpp_wrapper": native and not torch.cuda.is_available(),
        "joint_custom_pre_pass": DropZeroProducts(),
    }
    if fixed:
        options["guard_filter_fn"] = _argument_guards
    retain_freed_memory()
    # Hides the message "No CUDA runtime is found" on machines without a GPU.
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)
    compile_: Callable[..., Callable[P, R]] = torch.compile  # its overloads lack the last argument
    # isolate_recompiles: other compilations of this code do not count towards its recompile limit.
    fast = compile_(
        function, fullgraph=True, dynamic=False, options=options, isolate_recompiles=True
    )
    warned: list[str] = []
    current = [fast]

    def warn_once(message: str) -> None:
        if message not in warned:
            warned.append(message)
            warnings.warn(message, Notice, stacklevel=3)

    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return current[0](*args, **kwargs)
        except FailOnRecompileLimitHit:
            warn_once("batches of further shapes run uncompiled, several times slower")
        except (InductorError, TritonMissing, GPUTooOldForTriton) as error:
            reason = str(error).splitlines()[0]
            warn_once(f"training runs uncompiled, several times slower: {reason}")
            current[0] = function
        return function(*args, **kwargs)

    return call
