"""Post-hoc averages (EDM2, Karras et al. 2024, arXiv 2312.02696, Sec. 3.2 and Appendix C).

A power-function average at ``T`` updates weighs update ``t`` by ``(g + 1) t^g / T^(g + 1)``. Those
of several widths and times span more of them: the weights of any other width are approximated by
least squares, and the averages of the network are combined alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.files import atomic_write
from oneleap.core.training.ema import PowerEMA

AVERAGES = "averages"
"""Folder of the stored averages in that of a run."""


@dataclass(frozen=True)
class Profile:
    """Weights of a power-function average over the updates of a run.

    Attributes:
        updates: Number of updates ``T`` that it has seen.
        sigma_rel: Standard deviation of the weights, as a share of ``T``.
    """

    updates: int
    sigma_rel: float

    @cached_property
    def gamma(self) -> float:
        """Exponent ``g``."""
        return PowerEMA(self.sigma_rel).gamma


def correlation(a: Profile, b: Profile) -> float:
    """Inner product of two profiles, ``int p_a(t) p_b(t) dt`` up to the earlier end."""
    if a.updates > b.updates:
        a, b = b, a
    ratio, g, h = a.updates / b.updates, a.gamma, b.gamma
    product: float = (g + 1) * (h + 1) * ratio**h / ((g + h + 1) * b.updates)
    return product


def coefficients(stored: Sequence[Profile], target: Profile) -> Float[Tensor, "k"]:
    """Coefficients of stored averages whose sum is nearest to another average; they add up to 1.

    Args:
        stored: Profiles of the stored averages.
        target: Profile that is wanted.

    Returns:
        One coefficient for each stored average, in float64.

    Raises:
        InputError: If nothing is stored.
    """
    if not stored:
        raise InputError("no averages are stored: train with the callback oneleap.core.Snapshots")
    if target in stored:
        return torch.tensor([float(p == target) for p in stored], dtype=torch.float64)
    gram = torch.tensor([[correlation(a, b) for b in stored] for a in stored], dtype=torch.float64)
    right = torch.tensor([correlation(a, target) for a in stored], dtype=torch.float64)
    scale = gram.diagonal().rsqrt()  # profiles of unit norm
    matrix = scale.unsqueeze(1) * gram * scale
    column = (scale * right).unsqueeze(1)
    found: Tensor = scale * torch.linalg.lstsq(matrix, column, driver="gelsd")[0][:, 0]
    return found / found.sum()


def store(folder: Path, profile: Profile, weights: dict[str, Tensor]) -> None:
    """Write an average to a folder.

    Args:
        folder: Folder of the averages.
        profile: Profile of the average.
        weights: Weights by name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    facts = {"updates": str(profile.updates), "sigma_rel": repr(profile.sigma_rel)}
    name = f"{profile.updates:08d}-{profile.sigma_rel:g}.safetensors"
    with atomic_write(folder / name) as path:
        save_file({k: w.detach().cpu().contiguous() for k, w in weights.items()}, path, facts)


def stored(folder: Path) -> dict[Profile, Path]:
    """Find the averages in a folder, by their profiles.

    Raises:
        InputError: If a file is no stored average.
    """
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            facts = file.metadata() or {}
        try:
            profile = Profile(int(facts["updates"]), float(facts["sigma_rel"]))
        except (KeyError, ValueError):
            raise InputError(f"{path} is no stored average: move it elsewhere") from None
        found[profile] = path
    return found


def combine(folder: Path, sigma_rel: float) -> dict[str, Tensor]:
    """Compute the average of another width at the last stored time.

    Args:
        folder: Folder of the averages.
        sigma_rel: Width of the average.

    Returns:
        Weights by name, in float32.

    Raises:
        InputError: If nothing is stored, or no average has this width.
    """
    files = stored(folder)
    last = max((profile.updates for profile in files), default=1)
    shares = coefficients(list(files), Profile(last, sigma_rel))
    total: dict[str, Tensor] = {}
    for share, path in zip(shares.tolist(), files.values(), strict=True):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118  (no mapping)
                part = share * file.get_tensor(name).double()
                total[name] = total[name] + part if name in total else part
    return {name: weight.float() for name, weight in total.items()}
