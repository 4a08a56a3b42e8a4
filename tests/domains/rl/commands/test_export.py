"""Policies as graphs without oneleap: the same actions from the same noise.

Graphs are captured in processes of their own: the checks of shapes that this test run switches on
are no part of the product, and cannot be captured.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from support.tiny_rl import SPEC, TINY, scrambled

from oneleap.core.objectives import FlowMatching, MeanFlow
from oneleap.domains.main import main
from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.commands.policy_graph import policy_graph

Capture = pytest.CaptureFixture[str]

SCRIPT = """
import sys, warnings
from pathlib import Path
import numpy as np
from support.tiny_rl import ALGORITHMS, SPEC, TINY, scrambled
from oneleap.core.hub import export
from oneleap.core.objectives import FlowMatching
from oneleap.domains.main import main
from oneleap.domains.rl.commands.policy_graph import policy_graph
from oneleap.domains.rl.algorithms.policy import Policy

makers = ALGORITHMS | {"bc": lambda spec: Policy(spec, FlowMatching(), **TINY)}
for name in sys.argv[2:]:
    policy = makers[name](SPEC).eval()
    scrambled(policy.average, 1)  # neither the trained network nor a fresh one
    policy.save_pretrained(f"{name}/model", card="# Card")
    graph = policy_graph(policy, steps=3 if name == "bc" else None)
    for format, suffix in export.SUFFIX.items():
        path = Path(f"{name}/model/policy{suffix}")
        assert main(["export", name, "--format", format]) == 0
        with warnings.catch_warnings(action="ignore"):
            call = export.load(path, graph, format)
        obs, noise = graph.draw(4)[0]
        assert noise.shape in {(4, 2), (4, 2, 2)}  # (n, a); of denoisers (n, k, a)
        action = call((1e4 * obs, noise))
        assert (action >= [-1, -2]).all() and (action <= [1, 4]).all()
        assert np.allclose(call((obs, noise)), call((obs, -noise))) == (name == "rebrac")
        # The check of the command can fail: a policy of other weights, or of other steps, would.
        assert (export.difference(graph, call) < 1e-5) == (name != "bc")
        scrambled(policy.average, 2)
        assert export.difference(graph, call) > 1e-3
        policy = Policy.from_pretrained(f"{name}/model")
        graph = policy_graph(policy, steps=3 if name == "bc" else None)
    card = Path(f"{name}/model/README.md").read_text()
    assert "`policy.onnx`" in card and "`policy.pt2`" in card and card.startswith("# Card")
"""


@pytest.mark.parametrize(
    "names",
    [
        ["ofql", "dql"],
        pytest.param(
            ["bc", "bfq", "fql", "fbrac", "iql", "idql", "rebrac"], marks=pytest.mark.slow
        ),
    ],
)
def test_every_policy_is_one_graph_in_both_formats(names: list[str], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    paths = os.pathsep.join([str(Path(__file__).parents[3]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, "-", *names],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert ("noise (n, 2, a) -> action (n, a)" in done.stdout) == bool({"dql", "idql"} & {*names})
    assert "in oneleap this policy takes the best of 6 by Q" in done.stdout


def test_the_graph_is_the_average_s_and_takes_its_steps() -> None:
    policy = Policy(SPEC, FlowMatching(), **TINY)
    scrambled(policy.average, 1)
    right, one = policy_graph(policy, steps=3), policy_graph(policy)
    inputs, wanted = right.draw(64)
    torch.testing.assert_close(right.module(*inputs), wanted)
    assert not torch.allclose(one.module(*inputs), wanted, atol=1e-2)
    right.module.net = policy.net
    assert not torch.allclose(right.module(*inputs), wanted, atol=1e-2)


def test_what_cannot_be_exported_is_reported(tmp_path: Path, capsys: Capture) -> None:
    Policy(SPEC, MeanFlow(), **TINY).save_pretrained(tmp_path / "run" / "model")
    run = str(tmp_path / "run")
    assert main(["export", run, "--steps", "0"]) == 2
    assert main(["export", run, "--format", "tflite"]) == 2
    assert main(["export"]) == 2
    assert "name the run first: oneleap export runs/CONFIG/TIME" in capsys.readouterr().err
    assert main(["export", "--help"]) == 0
    assert "Example: oneleap export runs/rl/ofql_d4rl/0" in capsys.readouterr().out


def test_a_shipped_policy_is_exported_beside_the_package(tmp_path: Path) -> None:
    line = "from oneleap.domains.main import main; main(['export', 'pointmaze-umaze'])"
    done = subprocess.run(
        [sys.executable, "-c", line], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    folder = tmp_path / "export/pointmaze-umaze"
    assert (folder / "policy.onnx").is_file(), done.stderr
    assert "policy.onnx" in (folder / "README.md").read_text(encoding="utf-8")
