"""Figures of a policy's rollouts: success rate with its interval, lengths, latencies."""

from collections.abc import Sequence

import numpy as np
from rich.table import Table

from oneleap.domains.robot.evaluation.rollouts import Rollout

PERIOD_MS = 50.0
"""Period of control, milliseconds."""


def wilson_interval(successes: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """Compute Wilson's score interval of a success rate (JASA 22, 1927).

    Args:
        successes: Number of successes.
        n: Number of trials.
        confidence: Confidence level.

    Returns:
        Lower and upper bound, in [0, 1].
    """
    from scipy.stats import binomtest

    interval = binomtest(successes, n).proportion_ci(confidence, method="wilson")
    return float(interval.low), float(interval.high)


def rollout_metrics(rollouts: Sequence[Rollout]) -> dict[str, float]:
    """Compute all figures by name.

    ``success`` is a rate with the bounds ``success_low`` and ``success_high``; ``length`` and
    ``length_success`` are mean numbers of steps. ``net_ms`` is the median time of a call of the
    policy. ``loop_ms`` is that of a control step, most of which execute an action that is already
    chosen; ``loop_hz`` is the mean rate of all steps, and ``late`` the share of steps that take
    longer than the period of control. Names with ``p99`` are 99th percentiles.
    """
    n, successes = len(rollouts), sum(r.success for r in rollouts)
    low, high = wilson_interval(successes, n)
    found = {
        "rollouts": float(n),
        "success": successes / n,
        "success_low": low,
        "success_high": high,
        "length": float(np.mean([r.length for r in rollouts])),
    }
    if successes:
        found["length_success"] = float(np.mean([r.length for r in rollouts if r.success]))
    net = np.concatenate([r.net_ms for r in rollouts])
    loop = np.concatenate([r.loop_ms for r in rollouts])
    for name, times in (("net", net), ("loop", loop)):
        if len(times):
            found[f"{name}_ms"] = float(np.median(times))
            found[f"{name}_p99_ms"] = float(np.quantile(times, 0.99))
    if len(loop):
        found["loop_hz"] = 1e3 / float(loop.mean())
        found["late"] = float((loop > PERIOD_MS).mean())
    return found


def metrics_table(title: str, metrics: dict[str, float]) -> Table:
    """Format figures for the terminal.

    Args:
        title: Title of the table.
        metrics: Figures of :func:`rollout_metrics`; ``steps``, the number of steps of the sampler;
            and perhaps ``condition_rank``.
    """
    table = Table(title=title, show_header=False)
    low, high = 100 * metrics["success_low"], 100 * metrics["success_high"]
    rate = f"{100 * metrics['success']:.1f} %, 95 % interval {low:.1f} to {high:.1f} %"
    table.add_row("success", rate)
    length = f"{metrics['length']:.0f} steps on average"
    table.add_row("rollouts", f"{metrics['rollouts']:.0f}, {length}")
    if "loop_ms" in metrics:
        net = f"{metrics['net_ms']:.2f} ms (99th percentile {metrics['net_p99_ms']:.2f})"
        table.add_row("policy", net)
        loop = f"{metrics['loop_ms']:.1f} ms (99th percentile {metrics['loop_p99_ms']:.1f})"
        table.add_row("control step", f"{loop}, {metrics['loop_hz']:.0f} Hz with the simulation")
    table.add_row("network calls", f"{metrics['steps']:.0f} per decision")
    if "condition_rank" in metrics:
        table.add_row("condition", f"effective rank {metrics['condition_rank']:.1f}")
    return table
