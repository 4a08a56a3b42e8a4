"""``oneleap bench robot``: latency of decisions by different samplers, and control rates."""

from pathlib import Path

from oneleap.core.errors import InputError


def bench(calls: int = 200, steps: int = 100, seed: int = 0, json: Path | None = None) -> None:
    """Time decisions of DM1's network for Lift, and the control loop in robosuite.

    A decision is one call of the policy: observation in, chunk of actions out.
    ``control_hz_state`` and ``control_hz_image`` are control steps per second when each step takes
    a decision; they include simulation and, with images, rendering of one 84 x 84 image.
    ``policy_hz_state`` and ``policy_hz_image`` leave these out, because a real robot has neither.

    Example: oneleap bench robot --json robot.json

    Args:
        calls: Number of decisions timed for the one-step policy; slower samplers are timed less
            often.
        steps: Number of control steps timed; 0 leaves them and the simulator out.
        seed: Seed of the episode and the noise.
        json: File to write the figures to as well.

    Raises:
        InputError: A number is too small, or OpenGL is missing.
    """
    import torch

    from oneleap.core.sampling.samplers import FlowMapSampler
    from oneleap.core.timing import print_measurements
    from oneleap.domains.robot.envs.panda import panda_env_args
    from oneleap.domains.robot.envs.robosuite import RobotEnv, enable_opengl
    from oneleap.domains.robot.envs.task import Task
    from oneleap.domains.robot.evaluation.latency import (
        CAMERA,
        time_control_loop,
        time_decisions,
        untrained_policy,
    )

    if calls < 1 or steps < 0 or steps == 1:
        raise InputError(f"calls {calls} must be at least 1, steps {steps} 0 or at least 2")
    if steps:
        enable_opengl()
    task = Task(panda_env_args("Lift"))
    figures = time_decisions(calls, seed)
    kinds = (("state", ()), ("image", (CAMERA,))) if steps else ()
    for kind, cameras in kinds:
        policy = untrained_policy(FlowMapSampler(), cameras, task)
        env = RobotEnv(task, cameras=cameras)
        figures |= time_control_loop(env, policy, kind, steps, seed)
        env.close()
    print_measurements(
        f"Robot on {torch.get_num_threads()} threads, torch {torch.__version__}", figures, json
    )
