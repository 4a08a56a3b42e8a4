"""Evaluation: the first episode of each environment, complete, and nothing else."""

import json

import numpy as np
import pytest
from support.tiny_rl_env import TASK, Countdown, one

from oneleap.core.errors import InputError
from oneleap.core.training.seed import episode_seed
from oneleap.domains.rl.envs.mazes import REFERENCE_RETURNS, pointmaze_task
from oneleap.domains.rl.envs.task import Task
from oneleap.domains.rl.evaluation import rollouts
from oneleap.domains.rl.evaluation.rollouts import evaluate_policy


def expected_lengths(episodes, seed):
    env = Countdown()
    seeds = (episode_seed(seed, i) for i in range(episodes))
    return [int(env.reset(seed=s)[0][1]) for s in seeds]


@pytest.mark.parametrize("parallel", [1, 4, 200])
def test_each_episode_counts_once_and_whole_however_many_run_at_once(monkeypatch, parallel):
    monkeypatch.setattr(rollouts, "MAX_PARALLEL", parallel)
    found = evaluate_policy(one, TASK, 13, seed=5)
    lengths = expected_lengths(13, 5)
    assert len(set(lengths)) > 5
    assert found.lengths.tolist() == lengths
    assert found.returns.tolist() == lengths
    np.testing.assert_allclose(found.scores, np.array(lengths) * 5)
    assert found.mean == np.mean(lengths)
    assert found.standard_error == pytest.approx(np.std(lengths, ddof=1) / np.sqrt(13))
    assert found.successes is None


def test_the_policy_sees_all_rows_always_and_the_last_observation_of_the_finished():
    seen = []
    found = evaluate_policy(lambda obs: (seen.append(obs.copy()), one(obs))[1], TASK, 6)
    assert {obs.shape for obs in seen} == {(6, 2)}
    assert len(seen) == found.lengths.max()
    for k, obs in enumerate(seen):
        assert obs[:, 0].tolist() == np.minimum(k, found.lengths).tolist()


def test_each_row_gets_its_own_action():
    found = evaluate_policy(lambda obs: np.arange(len(obs), dtype=np.float32)[:, None], TASK, 5)
    assert found.returns.tolist() == (np.arange(5) * found.lengths).tolist()


def test_other_seeds_are_other_episodes():
    assert evaluate_policy(one, TASK, 8, seed=0).returns.tolist() == expected_lengths(8, 0)
    assert expected_lengths(8, 0) != expected_lengths(8, 1)


def test_success_at_any_time_counts():
    found = evaluate_policy(one, Task("Countdown-v0", {"succeeds": True}), 12)
    assert found.successes.tolist() == [n % 2 == 0 for n in found.lengths]
    assert found.figures()["success"] == found.successes.mean()


def test_a_task_may_be_scored_by_its_successes():
    task = Task("Countdown-v0", {"succeeds": True}, reference="made up", by_success=True)
    found = evaluate_policy(one, task, 12)
    assert 0 < found.score < 100
    assert found.figures()["score"] == pytest.approx(100 * found.successes.mean())
    assert found.figures()["return"] == found.lengths.mean()


def test_observations_in_a_dictionary_are_taken_out():
    found = evaluate_policy(one, Task("Countdown-v0", {"keyed": True}), 3)
    assert found.returns.tolist() == evaluate_policy(one, TASK, 3).returns.tolist()


def test_trajectories_are_the_observations_of_whole_episodes():
    found = evaluate_policy(one, TASK, 20)
    assert len(found.trajectories) == rollouts.MAX_TRAJECTORIES
    for obs, length in zip(found.trajectories, found.lengths, strict=False):
        assert obs[:, 0].tolist() == list(range(length + 1))


def test_the_table_and_the_figures_agree():
    found = evaluate_policy(one, TASK, 4)
    flat = json.loads(json.dumps(found.figures()))
    assert flat["score"] == found.score
    assert flat["score_se"] == pytest.approx(found.standard_error * 5)
    assert flat["act_batch"] == 4
    assert flat["act_ms"] > 0
    assert [str(cell) for cell in found.table().columns[0].cells][:2] == [
        "score",
        "scores 0 and 100",
    ]
    alone = evaluate_policy(one, Task("Countdown-v0"), 1).figures()
    assert not {"score", "return_se", "success"} & alone.keys()
    assert evaluate_policy(one, Task("Countdown-v0"), 1).score == alone["return"]


def test_a_diverged_policy_and_nothing_to_play_are_reported():
    with pytest.raises(InputError, match="actions are not finite: did it diverge"):
        evaluate_policy(lambda obs: one(obs) * np.nan, TASK, 2)
    with pytest.raises(InputError, match="episodes: 0 is not positive"):
        evaluate_policy(one, TASK, 0)
    with pytest.raises(InputError, match=r"^environment Nowhere-v0: "):
        evaluate_policy(one, Task("Nowhere-v0"), 1)
    with pytest.raises(InputError, match=r"^environment Countdown-v0: "):
        evaluate_policy(one, Task("Countdown-v0", {"speed": 3}), 1)


def test_the_measured_references_are_what_evaluation_gives():
    """Random actions in the environment itself, not in the simulation of many balls."""
    rng = np.random.default_rng(0)
    task = pointmaze_task("umaze", True, REFERENCE_RETURNS["umaze"])
    found = evaluate_policy(lambda obs: rng.uniform(-1, 1, (len(obs), 2)), task, 16)
    assert abs(found.score) < 4 * found.figures()["score_se"]


@pytest.mark.parametrize(("episodes", "parts"), [(1, 1), (2, 2)])
def test_one_episode_is_printed_without_a_standard_error(episodes, parts):
    table = evaluate_policy(one, TASK, episodes).table()
    rows = dict(zip(*(column.cells for column in table.columns), strict=True))
    for name in ("score", "return"):
        numbers = [float(text) for text in rows[name].split(" ± ")]
        assert len(numbers) == parts
        assert np.isfinite(numbers).all()
