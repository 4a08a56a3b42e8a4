"""A 20 Hz control loop driven by ONNX Runtime: how regular it is, and what it achieves.

First: oneleap export RUN. Then: python examples/robot_loop.py RUN/model
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import onnxruntime

from oneleap.domains.robot.envs.robosuite import RobotEnv, enable_opengl
from oneleap.domains.robot.envs.task import Spec, Task
from oneleap.domains.robot.evaluation.rollouts import ObsHistory

PERIOD_S = 0.05


def read_spec(model: Path) -> Spec:
    """Sizes of the policy and its environment, without the library that trained it."""
    words = json.loads((model / "config.json").read_text())["init_args"]["spec"]["init_args"]
    tuples = {k: tuple(v) if isinstance(v, list) else v for k, v in words.items()}
    return Spec(**{**tuples, "task": Task(**words["task"]["init_args"])})


def main(model: Path, episodes: int, seed: int) -> None:
    """Play episodes in real time; report success, lateness and missed deadlines."""
    spec, rng = read_spec(model), np.random.default_rng(seed)
    if spec.absolute or spec.task is None:
        raise SystemExit("this loop is for policies of offsets that know their environment")
    enable_opengl()
    env = RobotEnv(spec.task, cameras=spec.cameras, image_size=spec.image_size)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model / "policy.onnx"), options)
    late, work, solved = list[float](), list[float](), 0
    for episode in range(episodes):
        obs, success = env.reset(seed + episode), False
        history, queue = ObsHistory(spec, obs), list[np.ndarray]()
        deadline = time.perf_counter()
        while not success and env.steps < spec.task.horizon:
            time.sleep(max(0.0, deadline - time.perf_counter()))
            start = time.perf_counter()
            late.append(start - deadline)
            if not queue:
                seen, images = history.arrays()
                noise = rng.standard_normal((1, spec.act_dim, spec.chunk)).astype(np.float32)
                given = {"obs": seen, "noise": noise}
                given |= {} if images is None else {"images": images}
                queue = list(session.run(["action"], given)[0][0])
            obs, success = env.step(queue.pop(0))  # the simulation stands for the robot
            history.append(obs)
            work.append(time.perf_counter() - start)
            deadline += PERIOD_S
        solved += success
        print(f"episode {episode}: {'success' if success else 'failure'} after {env.steps} steps")
    jitter, busy = 1e3 * np.array(late), 1e3 * np.array(work)
    print(f"success       {solved} of {episodes}")
    print(f"work a step   {np.median(busy):.1f} ms, at most {busy.max():.1f}")
    print(f"jitter        {jitter.std():.2f} ms, at most {jitter.max():.1f} late")
    print(f"missed        {(busy > 1e3 * PERIOD_S).sum()} of {len(busy)} deadlines")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of a model, with its policy.onnx")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=10_000)
    args = parser.parse_args()
    main(args.model, args.episodes, args.seed)
