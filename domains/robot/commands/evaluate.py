"""``oneleap evaluate`` for robot policies: success in the simulator, or action error on data."""

from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.sampling.samplers import Sampler


def evaluate(
    run: Path,
    rollouts: int = 200,
    n_action_steps: int | None = None,
    sampler: Sampler | None = None,
    temperature: float | None = None,
    env: str | None = None,
    horizon: int | None = None,
    seed: int = 0,
    workers: int = 2,
    json: Path | None = None,
    video: bool = True,
    camera: str = "agentview",
    validation_data: str | None = None,
) -> None:
    """Play a trained policy in its simulator and print its success rate and latencies.

    The interval of the success rate is Wilson's. No episode starts like one of the demonstrations.
    A policy without an environment is measured on demonstrations: its action error.

    Example: oneleap evaluate runs/robot/dm1_lift/TIME --rollouts 200

    Args:
        run: Run or model folder; evaluation.json, videos and a contact sheet are written there.
        rollouts: Number of episodes.
        n_action_steps: Number of actions of each chunk to execute; by default the policy's.
        sampler: Sampler that generates chunks; by default the policy's. For DDIM:
            --sampler oneleap.core.DDIMSampler --sampler.steps 10.
        temperature: Standard deviation of the noise; by default the policy's.
        env: Environment of robosuite, by default that of the training data; none measures the
            action error on demonstrations instead.
        horizon: Number of steps after which an episode has failed; by default the training data's,
            or 1000.
        seed: Seed of the episodes and of the policy's noise.
        workers: Number of processes.
        json: Further file to write the figures to, name -> number.
        video: Whether to play some successes and failures again and record them.
        camera: Camera that records.
        validation_data: HDF5 file; its demonstrations under the filter key valid, or else all, are
            used to compute the action error and the effective rank of the policy's condition. By
            default, the action error is that of the demonstrations that training held out.

    Raises:
        InputError: There is no robot policy in run, a setting does not fit the policy, or robosuite
            is not installed.
    """
    from oneleap.core.training.run import find_model
    from oneleap.domains.robot.envs.robosuite import require_robosuite
    from oneleap.domains.robot.evaluation.offline import evaluate_offline
    from oneleap.domains.robot.evaluation.plots import record_videos
    from oneleap.domains.robot.evaluation.report import evaluate_policy, find_task, make_player
    from oneleap.domains.robot.models.policy import RobotPolicy

    found = find_model(run)
    found.check_output()
    policy = RobotPolicy.from_pretrained(found.model)
    task = find_task(policy.spec, env, horizon)
    if task is None:
        offline = evaluate_offline(policy, found, validation_data, sampler, temperature, seed)
        found.write_evaluation(offline, json)
        return
    player = make_player(
        policy, found.model, task, n_action_steps, sampler, temperature, seed, camera
    )
    try:
        require_robosuite(task)
    except InputError as error:
        raise InputError(
            f"{error} (--env none measures the action error on demonstrations)"
        ) from None
    metrics, played = evaluate_policy(policy, player, rollouts, workers, validation_data)
    found.write_evaluation(metrics, json)
    if video:
        record_videos(player, played, found.home, workers)
