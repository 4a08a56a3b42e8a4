"""Acting on a request: ``POST /v1/act``."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from oneleap.core.errors import InputError
from oneleap.core.training.seed import step_generator
from oneleap.domains.serve import fields
from oneleap.domains.serve.errors import RequestError, invalid
from oneleap.domains.serve.limits import Limits

if TYPE_CHECKING:
    from oneleap.domains.rl.algorithms.policy import Policy
    from oneleap.domains.robot.models.policy import RobotPolicy

KNOWN = ("model", "observation", "observations", "seed", "steps", "num_action_samples")
"""Fields of a request."""

Actions = list[list[list[float]]]
"""For each observation, the actions to take one after the other."""

MAX_SAMPLES, MAX_STEPS = 256, 1000
"""Largest number of actions sampled for an observation, and of network calls."""


@dataclass(frozen=True)
class ActRequest:
    """Observations to act on, and how.

    Attributes:
        policy: Name of the policy.
        obs: The observations; the first axis counts them.
        seed: Seed of the noise.
        steps: Network calls; by default the policy's own number.
        num_action_samples: Actions sampled for each observation; by default the policy's own.
    """

    policy: str
    obs: NDArray[np.float32]
    seed: int
    steps: int | None
    num_action_samples: int | None


@runtime_checkable
class ServedPolicy(Protocol):
    """A policy of the server."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one observation."""

    def act(self, request: ActRequest) -> NDArray[Any]:
        """Return the actions, (n, h, a): h of them, to be taken one after the other.

        Raises:
            RequestError: If the policy cannot act so.
        """


@dataclass(frozen=True)
class OfflinePolicy:
    """A policy of the domain ``rl``.

    Attributes:
        policy: The policy.
    """

    policy: "Policy"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one observation."""
        return (self.policy.spec.obs_dim,)

    def act(self, request: ActRequest) -> NDArray[Any]:
        """See :meth:`ServedPolicy.act`."""
        from oneleap.domains.rl.algorithms.actor_critic import ActorCritic

        k = request.num_action_samples
        if k is not None and k > 1 and not isinstance(self.policy, ActorCritic):
            raise invalid("num_action_samples", "this policy has no Q to select by: leave it out")
        generator = step_generator(request.seed, 0, stream=2, device=self.policy.device)
        return self.policy.plan(
            request.obs, steps=request.steps, num_action_samples=k, generator=generator
        )


@dataclass(frozen=True)
class ChunkPolicy:
    """A policy of the domain ``robot``, without images.

    Attributes:
        policy: The policy.
    """

    policy: "RobotPolicy"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one observation: steps, the oldest first, and numbers of each."""
        return (self.policy.spec.n_obs_steps, self.policy.spec.obs_dim)

    def act(self, request: ActRequest) -> NDArray[Any]:
        """See :meth:`ServedPolicy.act`."""
        for name in ("steps", "num_action_samples"):
            if getattr(request, name) is not None:
                raise invalid(name, "this policy has none: leave it out")
        generator = step_generator(request.seed, 0, stream=2, device=self.policy.device)
        return self.policy.act(request.obs, generator=generator)


def load_served_policy(name: str) -> ServedPolicy:
    """Load a policy, and act once.

    Args:
        name: Name of a shipped policy, or folder of a run or of a model.

    Raises:
        InputError: If there is none, or it needs images.
    """
    from oneleap.core.hub.pretrained import load_pretrained
    from oneleap.domains.rl.commands.evaluate import find_policy

    folder = find_policy(Path(name), "serve").model
    model = load_pretrained(folder)
    served = _served(model)
    if served is None:
        raise InputError(f"policy: {folder} holds a {type(model).__name__}, not a policy")
    if isinstance(served, ChunkPolicy) and served.policy.spec.cameras:
        raise InputError(f"policy: {name} needs images, and this server takes none")
    served.act(ActRequest(name, np.zeros((1, *served.shape), np.float32), 0, None, None))
    return served


def _served(model: object) -> ServedPolicy | None:
    """Wrap a policy of either domain, whose libraries the other does not need."""
    modules = [base.__module__ for base in type(model).__mro__]
    if any(name.startswith("oneleap.domains.robot.") for name in modules):
        from oneleap.domains.robot.models.policy import RobotPolicy

        return ChunkPolicy(model) if isinstance(model, RobotPolicy) else None
    if any(name.startswith("oneleap.domains.rl.") for name in modules):
        from oneleap.domains.rl.algorithms.policy import Policy

        return OfflinePolicy(model) if isinstance(model, Policy) else None
    return None


def parse_act(
    body: Mapping[str, Any], policies: Mapping[str, ServedPolicy], limits: Limits
) -> ActRequest:
    """Read a request.

    Args:
        body: The request in JSON.
        policies: Policies by name.
        limits: The largest number of observations.

    Returns:
        The request.

    Raises:
        RequestError: If a field is missing or wrong.
    """
    fields.check_known(body, KNOWN)
    model = fields.text(body, "model", next(iter(policies)) if len(policies) == 1 else None)
    if model not in policies:
        here = ", ".join(policies) or "this server has none: start it with --policy"
        raise RequestError(
            404, f"model: no policy '{model[:80]}' ({here})", "model", "model_not_found"
        )
    if ("observation" in body) == ("observations" in body):
        raise invalid("observations", "give one observation, or a list of observations")
    single = "observation" in body
    name = "observation" if single else "observations"
    given = [body[name]] if single else body[name]
    shape = policies[model].shape
    if not isinstance(given, list) or not 1 <= len(given) <= limits.observations:
        raise invalid(name, f"must be a list of 1 to {limits.observations} observations")
    obs = np.empty((len(given), *shape), np.float32)
    for i, row in enumerate(given):
        _fill(obs[i], row, name if single else f"{name}[{i}]", name)
    return ActRequest(
        model,
        obs,
        fields.seed(body),
        fields.whole(body, "steps", 1, MAX_STEPS),
        fields.whole(body, "num_action_samples", 1, MAX_SAMPLES),
    )


def _fill(out: NDArray[np.float32], given: object, where: str, name: str) -> None:
    """Copy nested lists of numbers into an array.

    Args:
        out: Array to fill.
        given: The lists.
        where: Their place in the request, for messages.
        name: Name of the field.

    Raises:
        RequestError: If they have another shape, or a value is no finite number.
    """
    what = "numbers" if out.ndim == 1 else f"lists of {out.shape[1]} numbers"
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) != len(out):
        found = f", not {len(given)}" if isinstance(given, list) else ""
        raise RequestError(
            400, f"{where}: must be a list of {len(out)} {what}{found}", name, "invalid_value"
        )
    for i, value in enumerate(given):
        if out.ndim > 1:
            _fill(out[i], value, f"{where}[{i}]", name)
        elif isinstance(value, bool) or not isinstance(value, int | float):
            raise RequestError(400, f"{where}[{i}]: must be a number", name, "invalid_value")
        elif not abs(value) <= np.finfo(np.float32).max:
            message = f"{where}[{i}]: must be a finite number of 32 bits"
            raise RequestError(400, message, name, "invalid_value")
        else:
            out[i] = value


def actions_of(policy: ServedPolicy, request: ActRequest, check: Callable[[], None]) -> Actions:
    """Act, and return the actions as lists.

    Args:
        policy: The policy.
        request: The observations.
        check: Called before the work; what it raises ends it.

    Returns:
        For each observation, the actions to take one after the other.

    Raises:
        RequestError: If the policy cannot act so, or returns numbers that are not finite.
    """
    check()
    with torch.inference_mode():
        actions = policy.act(request)
    if not np.isfinite(actions).all():
        raise RequestError(500, "the policy returned numbers that are not finite", None, "nan")
    found: Actions = actions.astype(np.float64).tolist()
    return found
