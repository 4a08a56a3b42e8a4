"""``POST /v1/act``: the actions of a direct call."""

from typing import Any

import numpy as np
import pytest
import torch
from support.serve.client import Server, TestClient, connect
from support.tiny_robot import spec

from oneleap.core.objectives import FlowMatching
from oneleap.core.training.recipe import Recipe
from oneleap.core.training.seed import step_generator
from oneleap.domains.robot.models.policy import RobotPolicy
from oneleap.domains.serve.limits import Limits
from oneleap.domains.serve.policies import ActRequest, ChunkPolicy, OfflinePolicy

PATH, POLICY = "/v1/act", "pointmaze-umaze"
OBS = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)


def act(loaded: Server, obs: Any, seed: int = 0, **how: Any) -> Any:
    served = loaded.policies[POLICY]
    assert isinstance(served, OfflinePolicy)
    return served.policy.plan(obs, generator=step_generator(seed, 0, stream=2), **how)


@pytest.mark.parametrize("how", [{}, {"seed": 7}, {"num_action_samples": 4}])
def test_actions_are_those_of_a_direct_call(
    how: dict[str, int], client: TestClient, loaded: Server
) -> None:
    torch.set_num_threads(1)
    reply = client.post(PATH, json={"model": POLICY, "observations": OBS.tolist(), **how}).json()
    assert reply["model"] == POLICY
    actions = np.array(reply["actions"], np.float32)
    assert actions.shape == (5, 1, 2)
    assert np.array_equal(actions, act(loaded, OBS, **how))


def test_one_observation_needs_no_list_and_one_policy_no_name(
    client: TestClient, loaded: Server
) -> None:
    torch.set_num_threads(1)
    reply = client.post(PATH, json={"observation": OBS[0].tolist()}).json()
    assert np.array_equal(np.array(reply["actions"], np.float32), act(loaded, OBS[:1]))


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        ({}, "observations", "give one observation, or a list"),
        ({"observation": [0] * 4, "observations": []}, "observations", "give one observation"),
        ({"observations": []}, "observations", "must be a list of 1 to 1024"),
        ({"observations": [[0] * 4] * 2000}, "observations", "must be a list of 1 to 1024"),
        ({"observation": [0, 1]}, "observation", "must be a list of 4 numbers, not 2"),
        ({"observation": 5}, "observation", "must be a list of 4 numbers"),
        ({"observation": "abcd"}, "observation", "must be a list of 4 numbers"),
        ({"observation": [0, 1, 2, "3"]}, "observation", "observation[3]: must be a number"),
        ({"observation": [0, 1, 2, True]}, "observation", "observation[3]: must be a number"),
        ({"observation": [0, 1, 2, 1e300]}, "observation", "finite number of 32 bits"),
        ({"observation": [0, 1, 2, 10**400]}, "observation", "finite number of 32 bits"),
        ({"observations": [[0] * 4, [[0] * 4]]}, "observations", "observations[1]: must be"),
        ({"observation": [0] * 4, "steps": 0}, "steps", "must be from 1 to 1000"),
        ({"observation": [0] * 4, "num_action_samples": 1e9}, "num_action_samples", "whole"),
        ({"observation": [0] * 4, "sead": 1}, "sead", "did you mean 'seed'?"),
        ({"observation": [0] * 4, "model": "hopper"}, "model", "no policy 'hopper'"),
    ],
)
def test_a_wrong_request_is_refused_in_one_line(
    body: dict[str, Any], param: str, message: str, client: TestClient
) -> None:
    reply = client.post(PATH, json=body)
    error = reply.json()["error"]
    assert reply.status_code == (404 if param == "model" else 400)
    assert error["param"] == param
    assert message in error["message"]
    assert "\n" not in error["message"]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_not_finite_are_refused(value: str, client: TestClient) -> None:
    headers = {"content-type": "application/json"}
    reply = client.post(PATH, content=f'{{"observation": [0, 0, 0, {value}]}}', headers=headers)
    assert reply.status_code == 400
    assert "finite" in reply.json()["error"]["message"]


def test_a_robot_policy_acts_on_several_steps() -> None:
    policy = RobotPolicy(spec(), FlowMatching(), recipe=Recipe(compile=False))
    served, obs = ChunkPolicy(policy), np.ones((3, 1, 5), np.float32)
    assert served.shape == (1, 5)
    actions = served.act(ActRequest("a", obs, 0, None, None))
    expected = policy.act(obs, generator=step_generator(0, 0, stream=2))
    assert np.array_equal(actions, expected)


def test_limits_hold_for_observations(loaded: Server) -> None:
    with connect(Server({}, loaded.policies, Limits(observations=2))) as client:
        assert client.post(PATH, json={"observations": OBS[:2].tolist()}).status_code == 200
        assert client.post(PATH, json={"observations": OBS[:3].tolist()}).status_code == 400
