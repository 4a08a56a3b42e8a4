"""Export of a trained model as one graph that runs without oneleap, with checks and timing.

A domain describes the computation, including normalization, as a :class:`Graph`. ``torch.export``
captures it once for any batch size. The result is written as ONNX, for ONNX Runtime, or as
``.pt2``, for ``torch.export.load``.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.hub.card import hardware
from oneleap.core.outputs import check_output
from oneleap.core.timing import median_ms

if TYPE_CHECKING:
    import onnxruntime

Format = Literal["onnx", "pt2"]
SUFFIX: dict[Format, str] = {"onnx": ".onnx", "pt2": ".pt2"}
SIZES = (1, 2, 7, 64)
"""Batch sizes at which a written file is compared with the model."""

TITLE = "## Exported graphs"
HEADER = ("file", "largest difference", "batch 1", "batch 256", "measured on")

Call = Callable[[Sequence[Tensor]], NDArray[np.float32]]
"""A loaded file as a function: inputs in the graph's order, one output."""


@dataclass(frozen=True, eq=False)
class Graph:
    """A computation to export.

    Attributes:
        name: Stem of the file.
        module: Module, called with the inputs in order; it returns one float tensor, batch first.
        inputs: Names of the inputs.
        output: Name of the output.
        draw: Function of a number of rows; it returns random inputs, batch first, and the model's
            own output for them.
    """

    name: str
    module: nn.Module
    inputs: tuple[str, ...]
    output: str
    draw: Callable[[int], tuple[tuple[Tensor, ...], Tensor]]


def export_graphs(
    graphs: Sequence[Graph], folder: Path, format: Format, tolerance: float = 1e-5
) -> list[Path]:
    """Write graphs to a model's folder, compare them with the model, and time them.

    A file appears only after it agrees with the model at the batch sizes :data:`SIZES`. The model
    card gets a table of the files.

    Args:
        graphs: Graphs to export.
        folder: Folder of the model.
        format: ``onnx`` or ``pt2``.
        tolerance: Largest accepted absolute difference from the model.

    Returns:
        Paths of the files.

    Raises:
        InputError: If a written graph differs from the model by more than ``tolerance``, or the
            folder cannot be written.
    """
    check_output(folder / "README.md")
    rows, paths = [], []
    for graph in graphs:
        path = folder / f"{graph.name}{SUFFIX[format]}"
        with atomic_write(path) as temporary, quiet_exporters():
            write_graph(graph, temporary, format)
            call = load(temporary, graph, format)
            gap = difference(graph, call)
            if not gap <= tolerance:
                raise InputError(
                    f"{path}: the exported graph differs from the model by {gap:.2g}, more than "
                    f"{tolerance:g}: not written (see --tolerance)"
                )
            times = [f"{latency_ms(graph, call, n):.3f} ms" for n in (1, 256)]
        rows.append((f"`{path.name}`", f"{gap:.1e}", *times, hardware(torch.device("cpu"))))
        paths.append(path)
    table = Table(*HEADER, title=str(folder))
    for row in rows:
        table.add_row(*(cell.strip("`") for cell in row))
    Console().print(table)
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8") if card.is_file() else ""
    with atomic_write(card) as temporary:
        temporary.write_text(add_card_rows(text, rows), encoding="utf-8")
    return paths


def write_graph(graph: Graph, path: Path, format: Format) -> None:
    """Write a graph for any batch size from 1; the batch is the first axis of all inputs.

    Args:
        graph: Graph to write.
        path: File to write.
        format: ``onnx`` or ``pt2``.
    """
    inputs, _ = graph.draw(3)
    batch = torch.export.Dim("batch")
    write_program(
        graph.module,
        dict(zip(graph.inputs, inputs, strict=True)),
        (graph.output,),
        path,
        format,
        dynamic_shapes=tuple({0: batch} for _ in inputs),
    )


def write_program(
    module: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: Path,
    format: Format = "onnx",
    *,
    dynamic_shapes: tuple[Any, ...],
    strict: bool = True,
) -> None:
    """Capture a module and write it. All exported graphs are written by this function.

    Args:
        module: Module, called with the inputs in order.
        inputs: Example inputs by name.
        outputs: Names of the outputs.
        path: File to write.
        format: ``onnx``, or ``pt2`` for ``torch.export.load``.
        dynamic_shapes: Axes of variable size for each argument, as in ``torch.export.export``.
        strict: Whether to capture the module by tracing its bytecode, which verifies more.
    """
    if format == "onnx":
        import onnx  # noqa: F401  (an early import, so that the command can name the extra)
        import onnxscript  # noqa: F401
    with torch.no_grad(), quiet_exporters():
        program = torch.export.export(
            module.eval(), tuple(inputs.values()), dynamic_shapes=dynamic_shapes, strict=strict
        )
        if format == "pt2":
            torch.export.save(program, str(path))
            return
        torch.onnx.export(
            program,
            (),
            str(path),
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=list(inputs),
            output_names=list(outputs),
        )


def onnx_session(path: Path) -> "onnxruntime.InferenceSession":
    """Load an ONNX file in ONNX Runtime, on the CPU with torch's number of threads."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )


def load(path: Path, graph: Graph, format: Format) -> Call:
    """Load a written file on the CPU, in the runtime of its format.

    Args:
        path: File to load.
        graph: Graph that was written.
        format: ``onnx`` or ``pt2``.

    Returns:
        A function of the inputs.
    """
    if format == "pt2":
        program = torch.export.load(str(path)).module()

        def by_torch(inputs: Sequence[Tensor]) -> NDArray[np.float32]:
            with torch.inference_mode():
                out: NDArray[np.float32] = program(*inputs).numpy()
            return out

        return by_torch
    session = onnx_session(path)

    def by_onnx(inputs: Sequence[Tensor]) -> NDArray[np.float32]:
        given = {name: x.numpy() for name, x in zip(graph.inputs, inputs, strict=True)}
        out: NDArray[np.float32] = session.run([graph.output], given)[0]
        return out

    return by_onnx


def difference(graph: Graph, call: Call) -> float:
    """Return the largest absolute difference between a loaded file and the model."""
    differences = []
    for n in SIZES:
        inputs, expected = graph.draw(n)
        output = call(inputs)
        if output.shape != tuple(expected.shape):
            return float("inf")
        differences.append(float(np.abs(output - expected.numpy()).max()))
    return max(differences)


def latency_ms(graph: Graph, call: Call, rows: int) -> float:
    """Measure the median time of one call in milliseconds.

    Args:
        graph: Graph that was written.
        call: Loaded file.
        rows: Batch size.
    """
    inputs, _ = graph.draw(rows)
    return median_ms(lambda: call(inputs), calls=200)


def add_card_rows(card: str, rows: Sequence[tuple[str, ...]]) -> str:
    """Add rows to a model card's table of exported files; rows of other files stay."""
    before, title, after = card.partition(f"{TITLE}\n")
    table, _, rest = after.partition("\n## ")
    by_file = {
        line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("| `")
    }
    by_file |= {row[0]: f"| {' | '.join(row)} |" for row in rows}
    lines = [f"| {' | '.join(HEADER)} |", "|---" * len(HEADER) + "|", *by_file.values()]
    section = f"{TITLE}\n\n" + "\n".join(lines) + "\n"
    if not title:
        return f"{card.rstrip()}\n\n{section}" if card else section
    return f"{before}{section}" + (f"\n## {rest}" if rest else "")


@contextmanager
def quiet_exporters() -> Iterator[None]:
    """Suppress warnings and logs of the exporters."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
