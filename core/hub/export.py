"""A trained model as one graph that runs without oneleap: ONNX or TorchScript, checked and timed.

A domain says in a :class:`Graph` what is to be computed, normalisation included; what is written
here knows no domain. A graph is captured once by ``torch.export`` with a batch of any size, and
both formats come from that capture.
"""

import logging
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.files import replacing
from oneleap.core.hub.card import hardware
from oneleap.core.timing import median_ms

Format = Literal["onnx", "torchscript"]
SUFFIX: dict[Format, str] = {"onnx": ".onnx", "torchscript": ".pt"}
SIZES = (1, 2, 7, 64)
"""Batches on which a written file is compared with the model."""

TITLE = "## Exported graphs"
HEADER = ("file", "largest difference", "batch 1", "batch 256", "measured on")

Call = Callable[[Sequence[Tensor]], NDArray[np.float32]]
"""A loaded file: inputs in the graph's order, one output."""


@dataclass(frozen=True, eq=False)
class Graph:
    """What is to be exported.

    Attributes:
        name: Stem of the file.
        module: Called with the inputs in order; returns one float tensor, batch first.
        inputs: Names of the inputs.
        output: Name of the output.
        draw: For a number of rows, random inputs, batch first, and what the model itself makes of
            them on its usual way.
    """

    name: str
    module: nn.Module
    inputs: tuple[str, ...]
    output: str
    draw: Callable[[int], tuple[tuple[Tensor, ...], Tensor]]


def export_graphs(
    graphs: Sequence[Graph], folder: Path, format: Format, tolerance: float = 1e-5
) -> list[Path]:
    """Write graphs into a model's folder, compare them with the model, time them, tell its card.

    A file appears only once it agrees with the model on batches of :data:`SIZES`.

    Raises:
        InputError: A written graph differs from the model by more than ``tolerance``.
    """
    rows, paths = [], []
    for graph in graphs:
        path = folder / f"{graph.name}{SUFFIX[format]}"
        with replacing(path) as temporary, _quiet():
            write(graph, temporary, format)
            call = load(temporary, graph, format)
            gap = difference(graph, call)
            if not gap <= tolerance:
                raise InputError(
                    f"{path}: the exported graph is off by {gap:.2g}, more than {tolerance:g}: "
                    "not written (--tolerance allows more)"
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
    with replacing(card) as temporary:
        temporary.write_text(with_rows(text, rows), encoding="utf-8")
    return paths


def write(graph: Graph, path: Path, format: Format) -> None:
    """Write a graph whose batch, the first axis of all inputs, may have any size from 1 up."""
    if format == "onnx":
        import onnx  # noqa: F401  (named here, so that the command can name the extra)
        import onnxscript  # noqa: F401
    inputs, _ = graph.draw(3)
    batch = torch.export.Dim("batch")
    shapes = tuple({0: batch} for _ in inputs)
    module = graph.module.eval()
    with torch.no_grad():
        program = torch.export.export(module, inputs, dynamic_shapes=shapes, strict=True)
    if format == "torchscript":
        torch.jit.save(scripted(program), str(path))
        return
    torch.onnx.export(
        program,
        (),
        str(path),
        dynamo=True,
        verbose=False,
        external_data=False,
        input_names=list(graph.inputs),
        output_names=[graph.output],
    )


def scripted(program: torch.export.ExportedProgram) -> torch.jit.ScriptModule:
    """TorchScript of a captured program.

    Tracing would fix the batch: ``len(x)`` is a number to it. The program's calls are rewritten in
    the names that the compiler of TorchScript knows.
    """
    # Without a table of decompositions this only takes regions of autocast apart.
    captured = program.run_decompositions({}).module(check_guards=False)
    assert isinstance(captured, torch.fx.GraphModule)
    graph = captured.graph
    graph.set_codegen(torch.fx.graph.CodeGen())  # plain tensors in and out, no trees of them
    for node in list(graph.nodes):
        if node.op == "output":
            node.args = (node.args[0][0],)
        elif node.target is torch.ops.aten._assert_tensor_metadata.default:
            graph.erase_node(node)
        elif isinstance(node.target, torch._ops.OpOverload):
            size = node.target is torch.ops.aten.sym_size.int
            node.target = torch.ops.aten.size if size else node.target.overloadpacket
    module = torch.fx.GraphModule(captured, graph)
    script: torch.jit.ScriptModule = torch.jit.freeze(torch.jit.script(module).eval())
    return script


def load(path: Path, graph: Graph, format: Format) -> Call:
    """Load a written file in the runtime it is made for, on the CPU."""
    if format == "torchscript":
        script: Callable[..., Tensor] = torch.jit.load(  # type: ignore[no-untyped-call]
            str(path), map_location="cpu"
        )

        def by_torch(inputs: Sequence[Tensor]) -> NDArray[np.float32]:
            with torch.inference_mode():
                return script(*inputs).numpy()

        return by_torch
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )

    def by_onnx(inputs: Sequence[Tensor]) -> NDArray[np.float32]:
        given = {name: x.numpy() for name, x in zip(graph.inputs, inputs, strict=True)}
        out: NDArray[np.float32] = session.run([graph.output], given)[0]
        return out

    return by_onnx


def difference(graph: Graph, call: Call) -> float:
    """Greatest absolute difference between a loaded file and the model."""
    gaps = []
    for n in SIZES:
        inputs, wanted = graph.draw(n)
        found = call(inputs)
        if found.shape != tuple(wanted.shape):
            return float("inf")
        gaps.append(float(np.abs(found - wanted.numpy()).max()))
    return max(gaps)


def latency_ms(graph: Graph, call: Call, rows: int) -> float:
    """Median milliseconds of one call."""
    inputs, _ = graph.draw(rows)
    return median_ms(lambda: call(inputs), calls=200)


def with_rows(card: str, rows: Sequence[tuple[str, ...]]) -> str:
    """A model card whose table of exported files has these rows, older ones of other files kept."""
    before, found, after = card.partition(f"{TITLE}\n")
    table, _, rest = after.partition("\n## ")
    known = {
        line.split("|")[1].strip(): line for line in table.splitlines() if line.startswith("| `")
    }
    known |= {row[0]: f"| {' | '.join(row)} |" for row in rows}
    lines = [f"| {' | '.join(HEADER)} |", "|---" * len(HEADER) + "|", *known.values()]
    section = f"{TITLE}\n\n" + "\n".join(lines) + "\n"
    if not found:
        return f"{card.rstrip()}\n\n{section}" if card else section
    return f"{before}{section}" + (f"\n## {rest}" if rest else "")


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what exporters say of their own inner affairs off the user's screen."""
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
