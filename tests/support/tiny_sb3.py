"""Small checkpoints in the layout of Stable-Baselines3."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor


def tensors(kind: str, obs: int = 11, act: int = 3) -> dict[str, Tensor]:
    g = torch.Generator().manual_seed(0)
    names = {
        "sac": ["actor.latent_pi.0", "actor.latent_pi.2", "actor.mu"],
        "td3": ["actor.mu.0", "actor.mu.2", "actor.mu.4"],
        "common": ["mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2", "action_net"],
    }[kind]
    sizes, found = [obs, 8, 6, act], {}
    for k, name in enumerate(names):
        found[f"{name}.weight"] = torch.randn(sizes[k + 1], sizes[k], generator=g)
        found[f"{name}.bias"] = torch.randn(sizes[k + 1], generator=g)
    if kind == "sac":
        found["actor.log_std.weight"] = torch.zeros(act, 6)
        found["actor.log_std.bias"] = torch.full((act,), -3.0)
        found["critic.qf0.0.weight"] = torch.zeros(2, 2)
    if kind == "common":
        found["log_std"] = torch.full((act,), -20.0)
    return found


def checkpoint(path: Path, kind: str = "sac", weights: Any = None, **settings: Any) -> Path:
    data = {"policy_class": {"__module__": f"stable_baselines3.{kind}.policies"}, **settings}
    stored = io.BytesIO()
    torch.save(tensors(kind) if weights is None else weights, stored)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("data", json.dumps(data))
        file.writestr("policy.pth", stored.getvalue())
    return path
