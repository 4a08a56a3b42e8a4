"""Validation without an environment: how far a policy's actions are from held-out ones."""

import torch

from oneleap.domains.rl.algorithms.policy import Policy
from oneleap.domains.rl.data.transitions import OfflineDataset

LARGEST = 5000
"""Largest number of held-out steps that are compared."""


def action_error(policy: Policy, held_out: OfflineDataset, seed: int = 0) -> float:
    """Root mean square of the differences between a policy's actions and those of the data.

    The policy draws one action for each observation, or one chunk, whose first action counts.
    Actions are compared on [-1, 1], so that the error does not depend on their units. A low error
    means good imitation, not a high return.

    Args:
        policy: The policy.
        held_out: Steps that it was not trained on; a fixed random choice if they are many.
        seed: Seed of the actions and of the choice.

    Returns:
        The error.
    """
    choice = torch.Generator().manual_seed(seed)
    rows = torch.randperm(len(held_out), generator=choice)[:LARGEST]
    noise = torch.Generator(policy.device).manual_seed(seed)
    seen = held_out.obs[rows].cpu().numpy()
    acted = policy.plan(seen, num_action_samples=1, generator=noise)[:, 0]
    half = policy.act_half.cpu()
    difference = (torch.from_numpy(acted) - held_out.act[rows].cpu()) / half.where(half > 0, 1.0)
    return float(difference.square().mean().sqrt())
