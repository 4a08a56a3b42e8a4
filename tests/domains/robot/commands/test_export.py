"""Exported robot policies: the same chunks from the same noise, without oneleap.

Graphs are captured in a separate process: the shape checks that this test run enables are not part
of the product and cannot be captured.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.tiny_robot import EYE, spec

from oneleap.core.errors import InputError
from oneleap.core.objectives import MeanFlow, NoisePrediction
from oneleap.core.sampling.samplers import ConsistencySampler, DDPMSampler
from oneleap.domains.main import main
from oneleap.domains.robot.models.graph import policy_graph
from oneleap.domains.robot.models.nets import MLPHead
from oneleap.domains.robot.models.policy import RobotPolicy

SCRIPT = f"""
import sys, warnings
from pathlib import Path
import numpy as np
import torch
from support.tiny_robot import spec
from oneleap.core.hub import export
from oneleap.core.objectives import MeanFlow, NoisePrediction
from oneleap.domains.main import main
from oneleap.domains.robot.models.nets import MLPHead, UNetHead
from oneleap.domains.robot.models.policy import RobotPolicy
from oneleap.core.sampling.samplers import DDIMSampler, EulerSampler

head, unet = MLPHead(16), UNetHead((8, 16), context_dim=8)
seeing = spec(cameras=("{EYE}",), image_size=(24, 24), n_obs_steps=2)
policies = {{
    "state": RobotPolicy(spec(), MeanFlow(), head=head, n_action_steps=3, gripper="threshold"),
    "euler": RobotPolicy(spec(), MeanFlow(), head=unet, sampler=EulerSampler(steps=2)),
    "ddim": RobotPolicy(spec(), NoisePrediction(), head=head, sampler=DDIMSampler(steps=3)),
    "real robot": RobotPolicy(
        spec(task=None, act_scale=(0.0, *[0.5] * 6)), MeanFlow(), head=head, clip=0.1
    ),
    "image": RobotPolicy(seeing, MeanFlow(), head=head),
}}
for name, policy in policies.items():
    draws = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weight in policy.average.parameters():
            weight.copy_(0.2 * torch.randn(weight.shape, generator=draws))
    policy.eval().save_pretrained(f"{{name}}/model", card="# Card")
    assert main(["export", name, "--format", sys.argv[1]]) == 0
    n, s = 5, policy.spec
    g = np.random.default_rng(0)
    obs = g.normal(size=(n, s.n_obs_steps, s.obs_dim)).astype(np.float32)
    shape = (n, 1, s.n_obs_steps, 3, 24, 24)
    images = g.integers(0, 256, shape, dtype=np.uint8) if s.cameras else None
    wanted = policy.act(obs, images, generator=torch.Generator().manual_seed(3))
    noise = policy.noise(n, torch.Generator().manual_seed(3)).numpy()
    path = f"{{name}}/model/policy{{export.SUFFIX[sys.argv[1]]}}"
    if sys.argv[1] == "onnx":
        import onnxruntime
        given = {{"obs": obs, "noise": noise}} | ({{}} if images is None else {{"images": images}})
        (found,) = onnxruntime.InferenceSession(path).run(["action"], given)
    else:
        given = [torch.from_numpy(x) for x in (obs, noise, images) if x is not None]
        found = torch.export.load(path).module()(*given).numpy()
    np.testing.assert_allclose(found, wanted, atol=2e-4)
    print(name, "agrees")
"""


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "pt2"])
def test_the_graph_agrees_with_the_policy(format: str, tmp_path: Path) -> None:
    if format == "onnx":
        pytest.importorskip("onnxruntime")
        pytest.importorskip("onnxscript")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, format],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("agrees") == 5


def test_samplers_that_draw_noise_are_refused() -> None:
    for sampler in (DDPMSampler(), ConsistencySampler(2)):
        policy = RobotPolicy(spec(), NoisePrediction(), head=MLPHead(8), sampler=sampler)
        with pytest.raises(InputError, match="cannot be exported: distill"):
            policy_graph(policy)
    one = RobotPolicy(spec(), MeanFlow(), head=MLPHead(8), sampler=ConsistencySampler())
    assert policy_graph(one).inputs == ("obs", "noise")


def test_a_folder_without_a_model_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model").mkdir()
    assert main(["export", str(tmp_path)]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
