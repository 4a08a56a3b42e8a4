"""A 20 Hz control loop on ONNX Runtime: how regular it is, and how often it succeeds.

Export the policy first: oneleap export RUN. Then: python examples/robot_loop.py RUN/model
"""

import argparse
import time
from pathlib import Path

import numpy as np
import onnxruntime

from oneleap.core.hub.config import from_config
from oneleap.core.hub.pretrained import read_config
from oneleap.domains.robot import ObsHistory, RobotEnv, Spec, enable_opengl

PERIOD_S = 0.05


def read_spec(model: Path) -> Spec:
    """Read the policy's sizes and environment; the policy itself is not built."""
    spec: Spec = from_config(read_config(model)["init_args"]["spec"])
    return spec


def main(model: Path, episodes: int, seed: int) -> None:
    """Play episodes in real time; report success, delays and missed deadlines."""
    spec, rng = read_spec(model), np.random.default_rng(seed)
    if spec.absolute or spec.task is None:
        raise SystemExit("this loop needs a policy of relative actions that knows its environment")
    enable_opengl()
    env = RobotEnv(spec.task, cameras=spec.cameras, image_size=spec.image_size)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(model / "policy.onnx"), options)
    delays, work, successes = list[float](), list[float](), 0
    for episode in range(episodes):
        obs, success = env.reset(seed + episode), False
        history, queue = ObsHistory(spec, obs), list[np.ndarray]()
        deadline = time.perf_counter()
        while not success and env.steps < spec.task.max_episode_steps:
            time.sleep(max(0.0, deadline - time.perf_counter()))
            start = time.perf_counter()
            delays.append(start - deadline)
            if not queue:
                low_dim, images = history.arrays()
                noise = rng.standard_normal((1, spec.act_dim, spec.horizon)).astype(np.float32)
                inputs = {"obs": low_dim, "noise": noise}
                inputs |= {} if images is None else {"images": images}
                queue = list(session.run(["action"], inputs)[0][0])
            obs, success = env.step(queue.pop(0))  # here the simulation takes the robot's place
            history.append(obs)
            work.append(time.perf_counter() - start)
            deadline += PERIOD_S
        successes += success
        print(f"episode {episode}: {'success' if success else 'failure'} after {env.steps} steps")
    jitter, busy = 1e3 * np.array(delays), 1e3 * np.array(work)
    print(f"success          {successes} of {episodes}")
    print(f"work per step    {np.median(busy):.1f} ms, at most {busy.max():.1f} ms")
    print(f"start of a step  {jitter.max():.1f} ms late at most, deviation {jitter.std():.2f} ms")
    print(f"missed           {(busy > 1e3 * PERIOD_S).sum()} of {len(busy)} deadlines")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="folder of a model that contains policy.onnx")
    parser.add_argument("--episodes", type=int, default=10)
    parser.add_argument("--seed", type=int, default=10_000)
    args = parser.parse_args()
    main(args.model, args.episodes, args.seed)
