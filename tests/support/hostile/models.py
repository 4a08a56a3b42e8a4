"""Readers of models: configurations, weights, checkpoints."""

import io
import random
import shutil
from contextlib import ExitStack
from functools import cache
from pathlib import Path

import numpy as np
import torch
from support.hostile.mutate import mutate_archive


def write_model(folder: Path) -> Path:
    from support.tiny_rl import SPEC, TINY

    from oneleap.core.objectives import MeanFlow
    from oneleap.domains.rl.algorithms.policy import Policy

    Policy(SPEC, MeanFlow(), **TINY).save_pretrained(folder / "model")
    return folder / "model" / "config.json"


def write_weights(folder: Path) -> Path:
    write_model(folder)
    return folder / "model" / "model.safetensors"


def read_model(path: Path) -> object:
    from oneleap.core.hub.pretrained import load_pretrained

    return load_pretrained(path.parent)


def write_voice(folder: Path) -> Path:
    from support.tiny_speech import acoustic

    acoustic().save_pretrained(folder / "model")
    return folder / "model" / "config.json"


@cache
def tagger_variables() -> dict[str, np.ndarray]:
    """Variables of musicnn, with random weights."""
    from support.tiny_music import MUSICNN_NORMS, MUSICNN_SHAPES

    g = np.random.default_rng(0)
    found = {}
    for name, shape in MUSICNN_SHAPES.items():
        found[f"{name}/kernel"] = g.normal(size=shape).astype(np.float16)
        found[f"{name}/bias"] = np.zeros(shape[-1], np.float16)
    for k, width in enumerate(MUSICNN_NORMS):
        name = f"batch_normalization_{k}" if k else "batch_normalization"
        for part in ("gamma", "beta", "moving_mean", "moving_variance"):
            found[f"{name}/{part}"] = np.ones(width, np.float16)
    return found


def write_tagger(folder: Path) -> Path:
    from safetensors.numpy import save_file

    save_file(tagger_variables(), folder / "a.safetensors")
    return folder / "a.safetensors"


def read_tagger(path: Path) -> object:
    from oneleap.domains.music.controls.musicnn import Tagger

    return Tagger.load(path)


def write_checkpoint(folder: Path) -> Path:
    from support.tiny import CONFIG

    from oneleap.domains.main import main

    (folder / "tiny.yaml").write_text(CONFIG)
    argv = ["fit", "--config", str(folder / "tiny.yaml"), "--run", str(folder / "run")]
    assert main([*argv, "--trainer.max_steps", "10"]) == 0
    shutil.copy(folder / "run" / "checkpoints" / "last.ckpt", folder / "a.ckpt")
    return folder / "a.ckpt"


def resume(path: Path) -> object:
    """Resume from a checkpoint, as ``oneleap fit`` does."""
    from oneleap.core.cli.checks import quiet_loggers
    from oneleap.core.cli.fit import CLI

    run = path.parent / "resumed"
    shutil.rmtree(run, ignore_errors=True)
    argv = ["--config", str(path.parent / "tiny.yaml"), "--run", str(run), "--trainer.max_steps",
            "11", "--trainer.logger", "false", "--ckpt_path", str(path)]  # fmt: skip
    with quiet_loggers(), ExitStack() as claims:
        return CLI("fit", argv, claims)


def mutate_checkpoint(data: bytes, rng: random.Random) -> bytes:
    """Change an archive, or the values inside a checkpoint."""
    if rng.random() < 0.5:
        return mutate_archive(data, rng)
    found = torch.load(io.BytesIO(data), weights_only=True)
    node, name = found, rng.choice(list(found))
    while isinstance(node[name], dict) and node[name] and rng.random() < 0.6:
        node = node[name]
        name = rng.choice(list(node))
    kind = rng.randrange(5)
    if kind == 0:
        del node[name]
    elif kind == 1 and isinstance(node[name], torch.Tensor):
        node[name] = node[name].float().clone().fill_(float("nan"))
    elif kind == 2:
        node[name] = torch.zeros(1).expand(10**9)
    else:
        node[name] = rng.choice((None, 3, "x", [], {}, {"a": 1}, [1, 2], 10**30, torch.ones(2)))
    out = io.BytesIO()
    torch.save(found, out)
    return out.getvalue()
