"""The effective rank of features, and of what a policy's network is conditioned on."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.domains.robot.models.policy import RobotPolicy


def effective_rank(h: Float[Tensor, "b d"]) -> float:
    """Compute the effective rank of features: the number of directions they spread over.

    It is ``exp`` of the entropy of the singular values (Roy & Vetterli 2007) of the centered
    features: at least 1, at most the lesser of b - 1 and d; 0 if all rows are equal.
    """
    s = torch.linalg.svdvals((h - h.mean(0)).double())
    if float(s.sum()) <= 1e-12 * math.sqrt(h.numel()):
        return 0.0
    p = s / s.sum()
    return math.exp(float(-(p * p.clamp(min=1e-300).log()).sum()))


@torch.inference_mode()
def condition_rank(policy: RobotPolicy, path: str, max_rows: int = 1024) -> float:
    """Compute the effective rank of a policy's condition on validation demonstrations.

    Args:
        policy: Policy; the moving average of its network is used.
        path: HDF5 file; demonstrations under its filter key ``valid`` are used.
        max_rows: Number of observations at most, spread evenly.

    Returns:
        Effective rank, see :func:`effective_rank`.

    Raises:
        InputError: The file lacks the filter key, or an observation of the policy.
    """
    from oneleap.domains.robot.data.datamodule import DemonstrationData

    spec = policy.spec
    chunks = DemonstrationData(
        path,
        obs=spec.obs_keys,
        cameras=spec.cameras,
        filter_key="valid",
        n_obs_steps=spec.n_obs_steps,
        horizon=1,
    ).chunks
    rows = torch.linspace(0, len(chunks) - 1, min(max_rows, len(chunks))).round().long()
    batch = chunks.batch(rows)
    return effective_rank(policy.average.encode(policy.normalize_obs(batch.obs), batch.images))
