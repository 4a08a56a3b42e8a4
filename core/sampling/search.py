"""Search for the times of a sampler of few steps (Song et al. 2023, arXiv 2303.01469, Sec. 5)."""

from collections.abc import Callable

from oneleap.core.errors import InputError


def search_times(
    distance: Callable[[tuple[float, ...]], float],
    *,
    steps: int,
    grid: int = 64,
    rounds: int = 2,
) -> tuple[tuple[float, ...], float]:
    """Find times at which few steps sample best, one time after the other.

    Each time but the first, which is 1, is moved between its neighbors by ternary search on a grid,
    with the others held fixed; this is repeated for all of them. The start is equal spacing, and
    the result is the best of all times that were tried. Use fixed noise inside ``distance``, and
    name the result in the sampler: ``ConsistencySampler(steps=2, times=(1.0, 0.62))``. Cost: about
    ``2 log(grid) / log(1.5)`` calls of ``distance`` for each time and round.

    Trap: ternary search assumes a single minimum.

    Deviations: the authors' code returns its last probe at the end of a search; here the best one
    is kept.

    Args:
        distance: Distance to the data of samples at these times, such as a Fréchet distance.
        steps: Number of steps.
        grid: Number of intervals of the grid of times.
        rounds: How often each time is searched.

    Returns:
        The times, falling from 1, and their distance.

    Raises:
        InputError: If the grid has fewer times than there are steps, or a number is not positive.
    """
    if not 1 <= steps <= grid or rounds < 1:
        raise InputError(
            f"search_times: steps {steps} must lie in [1, grid], grid {grid}; rounds {rounds} "
            "must be positive"
        )
    known: dict[tuple[int, ...], float] = {}

    def evaluate(nodes: tuple[int, ...]) -> float:
        if nodes not in known:
            known[nodes] = distance(tuple(n / grid for n in nodes))
        return known[nodes]

    best = tuple(grid - k * grid // steps for k in range(steps))
    evaluate(best)
    for _ in range(rounds):
        for k in range(1, steps):
            low = best[k + 1] + 1 if k + 1 < steps else 1
            high = best[k - 1] - 1
            while high - low > 2:
                third = (high - low) // 3
                early, late = low + third, high - third
                probes = [evaluate((*best[:k], n, *best[k + 1 :])) for n in (early, late)]
                low, high = (low, late) if probes[0] <= probes[1] else (early, high)
            for n in range(low, high + 1):
                evaluate((*best[:k], n, *best[k + 1 :]))
            best = min(known, key=lambda nodes: known[nodes])
    return tuple(n / grid for n in best), known[best]
