"""Exported graphs: any batch, parity that is checked and not assumed, a card that tells it."""

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from oneleap.core.errors import InputError
from oneleap.core.hub import export
from oneleap.core.hub.export import TITLE, Format, Graph, add_card_rows, export_graphs

FORMATS: list[Format] = ["onnx", "pt2"]


class Scaled(nn.Module):
    """``(w x + sum of y) * factor`` row by row, in a way that asks for the batch's length."""

    def __init__(self, factor: float = 1.0) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor([1.0, -2.0]))
        self.register_buffer("factor", torch.tensor(factor), persistent=False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        ones = x.new_ones(len(x), 2)
        with torch.autocast("cpu", enabled=False):
            out: Tensor = (self.w * x * ones + y.sum((1, 2)).unsqueeze(1)) * self.factor
        return out


def graph(wrong: float = 1.0) -> Graph:
    """A graph that is off by the factor ``wrong``."""
    module, g = Scaled(), torch.Generator().manual_seed(0)

    def draw(n: int) -> tuple[tuple[Tensor, ...], Tensor]:
        x, y = torch.randn(n, 2, generator=g), torch.randn(n, 3, 2, generator=g)
        expected = (torch.tensor([1.0, -2.0]) * x + y.sum((1, 2))[:, None]) * wrong
        return (x, y), expected

    return Graph("thing", module, ("x", "y"), "out", draw)


@pytest.mark.parametrize("format", FORMATS)
def test_a_graph_takes_any_batch_and_is_the_formula(tmp_path: Path, format: Format) -> None:
    pytest.importorskip("onnxruntime")
    (path,) = export_graphs([graph()], tmp_path, format)
    assert path == tmp_path / f"thing{export.SUFFIX[format]}"
    with warnings.catch_warnings(action="ignore", category=FutureWarning):
        call = export.load(path, graph(), format)
    for n in (1, 5, 300):
        x, y = torch.randn(n, 2), torch.randn(n, 3, 2)
        expected = torch.tensor([1.0, -2.0]) * x + y.sum((1, 2)).unsqueeze(1)
        np.testing.assert_allclose(call((x, y)), expected, atol=1e-5)


@pytest.mark.parametrize("format", FORMATS)
def test_a_graph_that_differs_is_not_written(tmp_path: Path, format: Format) -> None:
    pytest.importorskip("onnxruntime")
    with pytest.raises(
        InputError, match=r"differs from the model by .*, more than 1e-05: not written"
    ):
        export_graphs([graph(wrong=1.001)], tmp_path, format)
    assert not list(tmp_path.iterdir())


def test_an_output_of_another_shape_differs() -> None:
    assert export.difference(graph(), lambda inputs: np.zeros((len(inputs[0]), 1))) == np.inf


def test_nothing_of_the_exporters_reaches_the_screen(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime")
    for format in FORMATS:
        export_graphs([graph()], tmp_path, format)
        out, err = capfd.readouterr()
        assert err == ""
        assert out.count("\n") < 12, "more than the table"
        assert "thing" in out
        assert "torch.onnx" not in out


def test_the_card_keeps_a_row_for_each_file(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "README.md").write_text("# Model\n\ntext\n")
    for format in (*FORMATS, "onnx"):
        export_graphs([graph()], tmp_path, format)
    card = (tmp_path / "README.md").read_text()
    assert card.startswith("# Model\n\ntext\n\n## Exported graphs\n")
    assert card.count("`thing.onnx`") == card.count("`thing.pt2`") == card.count(TITLE) == 1
    assert " ms |" in card


def test_a_section_is_replaced_where_it_stands() -> None:
    row = ("`a.onnx`", "1e-07", "1 ms", "2 ms", "cpu")
    once = add_card_rows("# A\n\n## B\n\nb\n", [row])
    assert once.index("## B") < once.index(TITLE)
    middle = once + "\n## C\n\nc\n"
    newer = ("`a.onnx`", "2e-07", *row[2:])
    twice = add_card_rows(middle, [newer])
    assert twice == middle.replace("1e-07", "2e-07")
    assert add_card_rows("", [row]).startswith(TITLE)
