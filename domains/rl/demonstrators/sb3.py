"""Stable-Baselines3 policies as demonstrators: read without running code, or trained here."""

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from oneleap.core.errors import InputError

Array = NDArray[np.float32]
Demonstrator = Callable[[Array], Array]
"""Maps an observation (o,) to an action (a,) in the range of the environment."""

TRUST_HINT = (
    "--trust lets Stable-Baselines3 load it, which unpickles the file's 'data' and runs any "
    "code in it: use it only if you know who made the file"
)


class Layout(NamedTuple):
    """Names and structure of one algorithm's actor in ``policy.pth``.

    Attributes:
        hidden: Prefix of the hidden layers.
        mean: Prefix of the last layer; empty if it is one of the ``hidden`` ones.
        activation: Activation between the layers.
        squashed: Whether actions end in a tanh and are scaled from [-1, 1]; else they are clipped.
    """

    hidden: str
    mean: str
    activation: type[nn.Module]
    squashed: bool


LAYOUTS = {
    "sac": Layout("actor.latent_pi.", "actor.mu.", nn.ReLU, True),
    "td3": Layout("actor.mu.", "", nn.ReLU, True),
    "common": Layout("mlp_extractor.policy_net.", "action_net.", nn.Tanh, False),
}
"""Layouts by the module of ``policy_class``; ``common`` is that of PPO and A2C."""

IGNORED_SETTINGS = {"use_sde", "net_arch", "n_critics"}
"""Settings of a policy that follow from its tensors or do not affect its actor."""


def read_actor(path: Path, env: gymnasium.Env[Any, Any], seed: int = 0) -> Demonstrator:
    """Read the stochastic actor of a checkpoint from its tensors alone, without unpickling.

    It understands SAC, TD3 (whose actor is deterministic), PPO and A2C, with multilayer perceptrons
    and their default activations.

    Args:
        path: Zip file written by ``model.save``.
        env: Environment to act in.
        seed: Seed of the actor's noise.

    Returns:
        The actor.

    Raises:
        InputError: The file is damaged, or its policy is of another kind; see :data:`TRUST_HINT`.
    """
    settings, weights = _read_checkpoint(path)
    layout = LAYOUTS.get(_algorithm(settings))
    kwargs = settings.get("policy_kwargs") or {}
    unknown = {k for k in kwargs if not k.startswith(":")} - IGNORED_SETTINGS
    if layout is None or unknown or settings.get("use_sde"):
        policy = f"policy {_algorithm(settings)!r}"
        what = ", ".join(sorted(unknown)) or ("use_sde" if layout else policy)
        raise InputError(f"{path}: cannot read {what} from tensors alone. {TRUST_HINT}")
    layers = _layers(path, weights, layout)
    space = env.action_space
    assert isinstance(space, gymnasium.spaces.Box)
    obs_shape = env.observation_space.shape or ()
    if (layers[0].in_features,) != obs_shape or (layers[-1].out_features,) != space.shape:
        raise InputError(
            f"{path}: maps {layers[0].in_features} observations to {layers[-1].out_features} "
            f"actions, the environment has {obs_shape} and {space.shape}"
        )
    generator = torch.Generator().manual_seed(seed)

    @torch.inference_mode()
    def act(obs: Array) -> Array:
        h = torch.as_tensor(obs, dtype=torch.float32)
        for layer in layers[:-1]:
            h = layout.activation()(layer(h))
        a, std = layers[-1](h), _standard_deviation(weights, h)
        if std is not None:
            a = a + std * torch.randn(a.shape, generator=generator)
        if layout.squashed:
            action = space.low + (np.tanh(a.numpy()) + 1) / 2 * (space.high - space.low)
        else:
            action = np.clip(a.numpy(), space.low, space.high)
        return np.asarray(action, np.float32)

    return act


def _read_checkpoint(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """The settings in JSON, with their serialized parts left alone, and the policy's tensors."""
    try:
        with zipfile.ZipFile(path) as file:
            settings = json.loads(file.read("data"))
            stored = io.BytesIO(file.read("policy.pth"))
        weights = torch.load(stored, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file (--policy takes a zip file, or sac)") from None
    except Exception as error:  # zipfile, json and torch raise errors of their own
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(
            f"{path}: not a checkpoint of Stable-Baselines3, or damaged: {reason}"
        ) from None
    if not isinstance(settings, dict) or not all(isinstance(w, Tensor) for w in weights.values()):
        raise InputError(f"{path}: not a checkpoint of Stable-Baselines3")
    return settings, weights


def _algorithm(settings: dict[str, Any]) -> str:
    """The part of the policy's module name that identifies the algorithm, such as ``sac``."""
    policy = settings.get("policy_class")
    module = str(policy.get("__module__", "")) if isinstance(policy, dict) else ""
    return module.removeprefix("stable_baselines3.").partition(".")[0]


def _layers(path: Path, weights: dict[str, Tensor], layout: Layout) -> list[nn.Linear]:
    """The linear layers of the actor's mean, in order."""
    numbers = (
        k.removeprefix(layout.hidden).split(".")[0] for k in weights if k.startswith(layout.hidden)
    )
    known = sorted({int(n) for n in numbers if n.isdigit()})
    names = [f"{layout.hidden}{n}." for n in known] + ([layout.mean] if layout.mean else [])
    layers: list[nn.Linear] = []
    for name in names:
        weight, bias = weights.get(f"{name}weight"), weights.get(f"{name}bias")
        if weight is None or bias is None or weight.ndim != 2 or bias.shape != weight.shape[:1]:
            raise InputError(f"{path}: {name}weight and bias do not form a layer. {TRUST_HINT}")
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": weight.float(), "bias": bias.float()})
        if layers and layers[-1].out_features != layer.in_features:
            raise InputError(f"{path}: {name}weight does not fit the layer before it. {TRUST_HINT}")
        layers.append(layer)
    if len(layers) < 2:
        raise InputError(f"{path}: contains no actor of at least two layers. {TRUST_HINT}")
    return layers


def _standard_deviation(weights: dict[str, Tensor], hidden: Tensor) -> Tensor | None:
    """Standard deviation of the actor before any tanh; ``None`` if it is deterministic."""
    if "log_std" in weights:
        return weights["log_std"].exp()
    if "actor.log_std.weight" in weights:
        log_std = weights["actor.log_std.weight"] @ hidden + weights["actor.log_std.bias"]
        return log_std.clamp(-20, 2).exp()
    return None


def load_trusted_actor(path: Path) -> Demonstrator:
    """Load the actor of any checkpoint with Stable-Baselines3's own loader, which unpickles.

    Raises:
        InputError: Its algorithm is not SAC, TD3 or PPO.
    """
    settings, _ = _read_checkpoint(path)
    import stable_baselines3

    classes = {"sac": "SAC", "td3": "TD3", "common": "PPO"}
    if _algorithm(settings) not in classes:
        raise InputError(
            f"{path}: policy {_algorithm(settings)!r} is not one of {', '.join(classes)}"
        )
    model = getattr(stable_baselines3, classes[_algorithm(settings)]).load(path, device="cpu")
    return lambda obs: np.asarray(model.predict(obs)[0], np.float32)


def train_sac(
    env: gymnasium.Env[Any, Any],
    good_enough: Callable[[Demonstrator], bool],
    path: Path,
    max_steps: int,
    eval_every: int,
    seed: int,
) -> bool:
    """Train SAC until it is good enough, and save it.

    Args:
        env: Environment to train in.
        good_enough: Whether training may end with this policy.
        path: Checkpoint to write.
        max_steps: Largest number of training steps.
        eval_every: Training steps between two calls of ``good_enough``.
        seed: Seed of training.

    Returns:
        Whether it became good enough within ``max_steps`` steps.
    """
    from stable_baselines3 import SAC

    model = SAC("MlpPolicy", env, seed=seed, device="cpu")
    done = 0
    while done < max_steps:
        model.learn(min(eval_every, max_steps - done), reset_num_timesteps=False)
        done += eval_every
        if good_enough(lambda obs: np.asarray(model.predict(obs)[0], np.float32)):
            model.save(path)
            return True
    model.save(path)
    return False
