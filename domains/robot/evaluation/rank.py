"""The effective rank of features, and of what a policy's network is conditioned on."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from oneleap.domains.robot.data.datamodule import even_rows
from oneleap.domains.robot.evaluation.offline import held_out_chunks
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
        path: HDF5 file; demonstrations under its filter key ``valid`` are used, or all of them.
        max_rows: Number of observations at most, spread evenly.

    Returns:
        Effective rank, see :func:`effective_rank`.

    Raises:
        InputError: The file lacks an observation of the policy.
    """
    chunks = held_out_chunks(policy.spec, path, horizon=1)
    batch = chunks.batch(even_rows(len(chunks), max_rows))
    return effective_rank(policy.average.encode(policy.normalize_obs(batch.obs), batch.images))
