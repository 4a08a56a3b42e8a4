"""``oneleap bench rl``: times of training steps and actions of OFQL and other algorithms."""

from pathlib import Path


def bench(
    steps: int = 300,
    warmup: int = 50,
    dql: tuple[int, ...] = (5, 10, 20, 50),
    chunk: int = 5,
    seed: int = 0,
    json: Path | None = None,
) -> None:
    """Time OFQL, BFQ, FQL and Diffusion-QL with batch 256, networks 3x256 and Hopper's sizes.

    ``NAME_step_ms`` is the time of one training step. ``NAME_action_ms`` is that of one action with
    one sample, ``NAME_action2500_ms`` that of 2500 actions at once. Ratios of actions are those of
    one action, unless their name contains 2500. ``NAME_chunk_step_ms`` and ``NAME_chunk_plan_ms``
    are those of chunks of actions with 10 critics, networks 4x512 and OGBench's cube-double's
    sizes; their ratios are to FQL in the same run.

    Example: oneleap bench rl --json rl.json

    Args:
        steps: Number of training steps to time; fewer for a chain longer than 5.
        warmup: Number of steps before; the first of them compiles.
        dql: Numbers of denoising steps of Diffusion-QL; 50 take minutes to compile.
        chunk: Number of actions in a chunk; 0 leaves out all rows with chunks.
        seed: Seed of weights, data and draws.
        json: Further file for the results.
    """
    import os

    import torch
    from rich.console import Console
    from rich.progress import track

    from oneleap.core.timing import gemm_peak, print_measurements
    from oneleap.domains.rl.evaluation.timing import (
        action_ms,
        build_chunked,
        build_policies,
        chunk_figures,
        step_gflop,
        step_ms,
    )

    if not torch.cuda.is_available():
        # As in oneleap fit: optimizers look for a GPU in every step, which takes 0.7 ms.
        os.environ["CUDA_VISIBLE_DEVICES"] = ""
    policies = build_policies(dql, seed)
    figures = {"gemm_gflops": gemm_peak()}
    console = Console(stderr=True)  # a long chain compiles for minutes
    for name, policy in track(policies.items(), "compiling and timing steps", console=console):
        few = max(10, 5 * steps // max(5, policy.steps))  # a step of a longer chain takes longer
        figures[f"{name}_step_ms"] = step_ms(policy, few, min(warmup, few))
    gflop = step_gflop(policies["ofql"])
    figures["ofql_step_gflop"] = gflop
    ideal_ms = 1e3 * gflop / figures["gemm_gflops"]
    figures["ofql_step_over_gemm"] = figures["ofql_step_ms"] / ideal_ms
    figures |= action_ms(policies, calls=steps)
    figures["ofql_action_over_net"] = figures["ofql_action_ms"] / figures["net_ms"]
    for what in ("step", "action", "action2500"):
        for name in (f"dql{n}" for n in dql):
            ratio = figures[f"{name}_{what}_ms"] / figures[f"ofql_{what}_ms"]
            figures[f"{name}_over_ofql_{what}"] = ratio
    if chunk > 0:
        few = max(10, steps // 5)  # a step takes several times as long
        figures |= chunk_figures(build_chunked(chunk, seed), few, min(warmup, few))
    print_measurements(
        f"RL on {torch.get_num_threads()} threads, torch {torch.__version__}", figures, json
    )
