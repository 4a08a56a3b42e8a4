"""``oneleap bench robot``: a decision by one step and by many, and the rate of the control loop."""

import functools
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch

from oneleap.core.errors import InputError
from oneleap.core.objectives import MeanFlow
from oneleap.core.sampling.samplers import (
    DDIMSampler,
    DDPMSampler,
    EulerSampler,
    FlowMapSampler,
    Sampler,
)
from oneleap.core.timing import median_ms, report
from oneleap.domains.robot.commands.collect import env_args
from oneleap.domains.robot.envs.robosuite import RobotEnv, with_gl
from oneleap.domains.robot.envs.task import Spec, Task
from oneleap.domains.robot.evaluation.rollouts import play
from oneleap.domains.robot.models.policy import RobotPolicy

TURNS = 5
SAMPLERS: dict[str, Sampler] = {
    "dm1": FlowMapSampler(),
    "flow10": EulerSampler(10),
    "ddim10": DDIMSampler(steps=10),
    "ddpm100": DDPMSampler(steps=100),
}
STATE = {"robot0_eef_pos": 3, "robot0_eef_quat": 4, "robot0_gripper_qpos": 2, "object": 10}
CAMERA = "agentview_image"


def bench(calls: int = 200, steps: int = 100, json: Path | None = None) -> None:
    """Time decisions on one network, that of DM1 for Lift, and the control loop in robosuite.

    A decision is a call of the policy: observation in, chunk of actions out. ``control_hz_state``
    and ``control_hz_image`` are control steps a second if every step takes a decision, simulation
    included and, with images, the drawing of one of 84 x 84; ``policy_hz_`` of both leaves these
    out, which a real robot does not have.

    Example: oneleap bench robot --json robot.json

    Args:
        calls: Decisions timed of the one-step policy; fewer of the others.
        steps: Control steps timed.
        json: Also write the figures to this file.

    Raises:
        InputError: A number is not positive, or there is no OpenGL for the images.
    """
    if calls < 1 or steps < 2:
        raise InputError(f"calls {calls} and steps {steps} must be positive, steps 2 or more")
    with_gl()
    task = Task(env_args("Lift"))
    figures = decisions(calls)
    for kind, cameras in (("state", ()), ("image", (CAMERA,))):
        policy = policy_of(FlowMapSampler(), cameras, task)
        env = RobotEnv(task, cameras=cameras)
        figures |= control(env, policy, kind, steps)
        env.close()
    report(f"Robot on {torch.get_num_threads()} threads, torch {torch.__version__}", figures, json)


def policy_of(sampler: Sampler, cameras: tuple[str, ...], task: Task | None = None) -> RobotPolicy:
    """An untrained policy of Lift's sizes; with images it does not see the object's state."""
    keys = [key for key in STATE if not (cameras and key == "object")]
    sizes = tuple(STATE[key] for key in keys)
    n = sum(sizes)
    spec = Spec(
        obs_keys=tuple(keys),
        obs_sizes=sizes,
        obs_steps=1,
        act_dim=7,
        chunk=8,
        obs_shift=(0.0,) * n,
        obs_scale=(1.0,) * n,
        act_shift=(0.0,) * 7,
        act_scale=(1.0,) * 7,
        cameras=cameras,
        image_size=(84, 84) if cameras else (0, 0),
        task=task,
    )
    return RobotPolicy(spec, MeanFlow(), sampler=sampler).eval()


def decisions(calls: int) -> dict[str, float]:
    """Milliseconds of a decision by each sampler, in turns, and ratios to one step's."""
    jobs: dict[str, tuple[Callable[[], object], int]] = {}
    for name, sampler in SAMPLERS.items():
        policy = policy_of(sampler, ())
        obs = np.zeros((1, 1, policy.spec.obs_dim), np.float32)
        generator = torch.Generator().manual_seed(0)
        jobs[name] = functools.partial(policy.act, obs, generator=generator), sampler.steps
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(TURNS):
        for name, (job, cost) in jobs.items():
            few = max(2, calls // (TURNS * cost))
            found[name].append(median_ms(job, calls=few, warmup=1))
    figures = {f"{name}_decision_ms": median(times) for name, times in found.items()}
    for name in jobs:
        if name != "dm1":
            ratio = figures[f"{name}_decision_ms"] / figures["dm1_decision_ms"]
            figures[f"{name}_over_dm1_decision"] = ratio
    return figures


def control(env: RobotEnv, policy: RobotPolicy, kind: str, steps: int) -> dict[str, float]:
    """Rates of a loop that decides in every step."""
    generator = torch.Generator().manual_seed(0)
    act = functools.partial(policy.act, execute=1, generator=generator)
    rollout = play(env, policy.spec, act, seed=0, horizon=steps)
    return {
        f"control_hz_{kind}": 1e3 / median(rollout.loop_ms),
        f"policy_hz_{kind}": 1e3 / median(rollout.net_ms),
    }
