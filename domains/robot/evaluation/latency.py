"""Latency of decisions by different samplers, and rates of the control loop."""

import functools
from collections.abc import Callable
from statistics import median

import numpy as np
import torch

from oneleap.core.objectives import MeanFlow
from oneleap.core.sampling.samplers import (
    DDIMSampler,
    DDPMSampler,
    EulerSampler,
    FlowMapSampler,
    Sampler,
)
from oneleap.core.timing import median_ms
from oneleap.domains.robot.envs.robosuite import RobotEnv
from oneleap.domains.robot.envs.task import Task
from oneleap.domains.robot.evaluation.rollouts import play_episode
from oneleap.domains.robot.models.policy import RobotPolicy
from oneleap.domains.robot.spec import Spec

REPEATS = 5
"""Number of times that all samplers are timed, one after the other."""

SAMPLERS: dict[str, Sampler] = {
    "dm1": FlowMapSampler(),
    "flow10": EulerSampler(10),
    "ddim10": DDIMSampler(steps=10),
    "ddpm100": DDPMSampler(steps=100),
}
"""Samplers by the names of their figures."""

OBS_SIZES = {
    "robot0_eef_pos": 3,
    "robot0_eef_quat": 4,
    "robot0_gripper_qpos": 2,
    "object": 10,
}
"""Sizes of Lift's low-dimensional observations by key."""

CAMERA = "agentview_image"


def untrained_policy(
    sampler: Sampler, cameras: tuple[str, ...], task: Task | None = None
) -> RobotPolicy:
    """Build an untrained policy with Lift's sizes.

    Args:
        sampler: Sampler of the policy.
        cameras: Keys of images; with images, the policy does not observe the object's state.
        task: Environment.
    """
    keys = [key for key in OBS_SIZES if not (cameras and key == "object")]
    sizes = tuple(OBS_SIZES[key] for key in keys)
    n = sum(sizes)
    spec = Spec(
        obs_keys=tuple(keys),
        obs_sizes=sizes,
        n_obs_steps=1,
        act_dim=7,
        horizon=8,
        obs_shift=(0.0,) * n,
        obs_scale=(1.0,) * n,
        act_shift=(0.0,) * 7,
        act_scale=(1.0,) * 7,
        cameras=cameras,
        image_size=(84, 84) if cameras else (0, 0),
        task=task,
    )
    return RobotPolicy(spec, MeanFlow(), sampler=sampler).eval()


def time_decisions(calls: int, seed: int = 0) -> dict[str, float]:
    """Time a decision of each sampler, in turns.

    Args:
        calls: Number of decisions timed for the one-step policy.
        seed: Seed of the noise.

    Returns:
        Median milliseconds of each sampler, and ratios to the one-step policy.
    """
    jobs: dict[str, tuple[Callable[[], object], int]] = {}
    for name, sampler in SAMPLERS.items():
        policy = untrained_policy(sampler, ())
        obs = np.zeros((1, 1, policy.spec.obs_dim), np.float32)
        generator = torch.Generator().manual_seed(seed)
        jobs[name] = functools.partial(policy.act, obs, generator=generator), sampler.steps
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(REPEATS):
        for name, (job, cost) in jobs.items():
            n = max(2, calls // (REPEATS * cost))
            found[name].append(median_ms(job, calls=n, warmup=1))
    figures = {f"{name}_decision_ms": median(times) for name, times in found.items()}
    for name in jobs:
        if name != "dm1":
            ratio = figures[f"{name}_decision_ms"] / figures["dm1_decision_ms"]
            figures[f"{name}_over_dm1_decision"] = ratio
    return figures


def time_control_loop(
    env: RobotEnv, policy: RobotPolicy, kind: str, steps: int, seed: int = 0
) -> dict[str, float]:
    """Measure the rates of a control loop that takes a decision at each step.

    Args:
        env: Environment.
        policy: Policy.
        kind: Suffix of the figures' names.
        steps: Number of control steps.
        seed: Seed of the episode and the noise.

    Returns:
        Rates of control and of the policy alone, Hz.
    """
    generator = torch.Generator().manual_seed(seed)
    act = functools.partial(policy.act, n_action_steps=1, generator=generator)
    rollout = play_episode(env, policy.spec, act, seed=seed, max_steps=steps)
    return {
        f"control_hz_{kind}": 1e3 / median(rollout.loop_ms),
        f"policy_hz_{kind}": 1e3 / median(rollout.net_ms),
    }
