"""A run that is killed and resumed ends with the weights of one that was not."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from oneleap.domains.main import main

STEPS, PATIENCE_S = 150, 120
COMMAND = (
    "fit --data.path hopper.hdf5 --data.env none --data.batch_size 16 "
    f"--trainer.max_steps {STEPS} --model.network.width 16 --model.recipe.compile false "
    "--model.recipe.optimizer.cosine true"
).split()
AVERAGED = ["--config", "rl/ofql_d4rl", "--model.ema_start", "20", "--model.ema_every", "2"]
CHUNKED = [
    "--config",
    "rl/meanflow-ql_d4rl",
    "--data.chunk",
    "3",
    "--model.critic_config.members",
    "3",
    "--model.adaptive.every",
    "4",
    "--model.adaptive.warmup",
    "0",
    "--model.adaptive.threshold",
    "1.01",
]
"""Its weight of imitation changes every few steps, and is part of the run."""


def write(path: Path, n: int = 300) -> None:
    g = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        file["observations"] = g.normal(size=(n, 11)).astype(np.float32)
        file["actions"] = g.uniform(-1, 1, (n, 3)).astype(np.float32)
        file["rewards"] = g.normal(size=n).astype(np.float32)
        file["terminals"] = np.arange(n) % 50 == 49
        file["timeouts"] = np.zeros(n, bool)


@pytest.mark.parametrize("how", [AVERAGED, CHUNKED], ids=["averaged", "chunked"])
def test_a_killed_run_continues_to_the_same_weights(
    how: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = [COMMAND[0], *how, *COMMAND[1:]]
    write(tmp_path / "hopper.hdf5")
    every = ["--checkpoints.every_n_steps", "10"]
    code = "import sys; from oneleap.domains.main import main; sys.exit(main(sys.argv[1:]))"
    argv = [sys.executable, "-c", code, *command, *every, "--run", "killed"]
    kept = tmp_path / "killed" / "checkpoints" / "last.ckpt"
    with subprocess.Popen(argv, env={**os.environ, "OMP_NUM_THREADS": "1"}) as process:
        deadline = time.monotonic() + PATIENCE_S
        while not kept.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    done = torch.load(kept, weights_only=True)["global_step"]
    assert 0 < done < STEPS

    assert main([*command, *every, "--run", "killed", "--ckpt_path", "last"]) == 0
    assert main([*command, *every, "--run", "whole"]) == 0
    one, two = (
        torch.load(tmp_path / run / "checkpoints" / "last.ckpt", weights_only=True)
        for run in ("killed", "whole")
    )
    assert one["global_step"] == two["global_step"] == STEPS
    torch.testing.assert_close(one["state_dict"], two["state_dict"], rtol=0, atol=0)
    torch.testing.assert_close(one["optimizer_states"], two["optimizer_states"], rtol=0, atol=0)
    models = [
        load_file(tmp_path / run / "model" / "model.safetensors") for run in ("killed", "whole")
    ]
    assert all(torch.equal(models[0][name], models[1][name]) for name in models[0])
    if how is CHUNKED:
        assert float(models[0]["now"]) != 10.0
