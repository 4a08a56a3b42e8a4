"""Training by several processes from the command line, and every domain's module in two."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import MagicMock

import lightning as L
import pytest
import test_matrix as matrix
from support.ddp.launch import TESTS, together
from support.matrix.domains import write_songs
from support.tiny import CONFIG
from support.tiny_audio import write_recordings
from support.tiny_rl import SPEC, TINY

from oneleap.core.objectives import MeanFlow
from oneleap.core.training.checkpoints import Checkpoints
from oneleap.domains.rl.algorithms.ofql import OFQL
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation import callbacks
from oneleap.domains.rl.evaluation.rollouts import Evaluation

WORKER = TESTS / "support" / "ddp" / "domains_worker.py"
MEL = "mel: {sample_rate: 8000, n_fft: 256, hop: 128, window: 256, n_mels: 10, fmax: 4000.0}"
VOCODER = """
model:
  class_path: oneleap.domains.audio.VocoderTraining
  init_args:
    {width: 8, hidden: 8, depth: 1, periods: [2], period_width: 32, windows: [256],
      gan_start_step: 1}
data:
  class_path: oneleap.domains.audio.AudioData
  init_args:
    path: [recordings/wavs]
    MEL
    seconds: 0.3
    batch_size: 2
trainer: {max_steps: 3, log_every_n_steps: 1, accelerator: cpu}
"""
DURATIONS = """
model:
  class_path: oneleap.domains.singing.DurationModel
  init_args: {encoder: {width: 16, depth: 1, heads: 2, hidden: 16}, depth: 1}
data: DATA
trainer: {max_steps: 2, log_every_n_steps: 1, accelerator: cpu}
"""
ALIKE = "durations"
"""Its phrases have equal durations, so the batches of the processes are alike."""


def test_the_command_starts_processes_that_share_one_run(tmp_path: Path) -> None:
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    program = tmp_path / "oneleap"
    program.write_text("import sys\nfrom oneleap.domains.main import main\nsys.exit(main())\n")
    command = [sys.executable, str(program), "fit", "--config", "tiny.yaml"]
    env = {**os.environ, "PYTHONPATH": str(TESTS), "OMP_NUM_THREADS": "1"}
    for more in ([], ["--ckpt_path", "last", "--trainer.max_steps", "60"]):
        done = subprocess.run(
            [*command, "--trainer.devices", "2", *more],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        (run,) = (tmp_path / "runs" / "tiny").iterdir()  # the second command resumed it
        assert done.stdout == f"model: {run.relative_to(tmp_path)}/model\n"
    steps = [line.split(",")[0] for line in (run / "metrics.csv").read_text().splitlines()[1:]]
    assert len(steps) == len(set(steps)) == 12 + 6  # losses and scores, each logged once
    assert max(map(int, steps)) == 60


@pytest.mark.slow
def test_every_model_takes_the_mean_gradient_of_both_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    names = []
    for objective in ("MeanFlow", "FlowMatching"):
        for model in matrix.DOMAINS:
            if model.endswith("OFQL"):  # see tests/domains/rl/algorithms/test_ddp.py
                continue
            names.append(f"{objective}-{model}")
            Path(matrix.config(tmp_path, model, objective)).rename(f"{names[-1]}.yaml")
    Path("recordings").mkdir()
    write_recordings(Path("recordings"))
    Path("vocoder.yaml").write_text(VOCODER.replace("MEL", MEL))
    Path("durations.yaml").write_text(DURATIONS.replace("DATA", write_songs(tmp_path)))
    names += ["vocoder", "durations"]
    ranks = together(WORKER, tmp_path, str(tmp_path), *names)
    for name in names:
        first, second = (rank[name] for rank in ranks)
        mean = (first["alone"] + second["alone"]) / 2
        assert (first["seen"] - mean).norm() < 1e-5 * mean.norm(), name
        assert (first["weights"] == second["weights"]).all(), name
        if name != ALIKE:  # else this could not fail
            assert (first["alone"] - mean).norm() > 1e-3 * mean.norm(), name


@pytest.mark.parametrize("first", [True, False])
def test_only_the_first_process_evaluates(first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    policy = OFQL(replace(SPEC, task=Task("Any-v0")), MeanFlow(), **TINY)
    calls: list[object] = []

    def evaluate(*args: object, **_: object) -> MagicMock:
        calls.append(args)
        return MagicMock(spec=Evaluation, score=7.0, mean=70.0, successes=None)

    monkeypatch.setattr(callbacks, "evaluate_policy", evaluate)
    sent = {"eval/score": 7.0, "eval/return": 70.0}
    trainer, keeper = MagicMock(spec=L.Trainer), Checkpoints()
    trainer.configure_mock(
        global_step=4,
        is_global_zero=first,
        strategy=SimpleNamespace(broadcast=lambda figures: figures if first else sent),
        loggers=[],
        checkpoint_callbacks=[keeper],
    )
    module = policy.lightning_module()
    monkeypatch.setattr(module, "log_dict", lambda *args, **kwargs: None)
    callbacks.EvaluatePolicy(every=2, episodes=3).on_train_batch_end(trainer, module)
    assert len(calls) == int(first)
    assert keeper._pending == 7.0
