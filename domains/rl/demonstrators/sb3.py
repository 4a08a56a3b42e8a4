"""Policies of Stable-Baselines3 as demonstrators: read without running code, or trained here."""

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
"""An action (a,) for an observation (o,), in the environment's range."""

TRUST = (
    "Stable-Baselines3 would read it, but unpickles the file's 'data' for that, which runs any "
    "code in it: --trust true, if you know who made it"
)


class Layout(NamedTuple):
    """How the actor of one algorithm is laid out in ``policy.pth``.

    Attributes:
        hidden: Prefix of the hidden layers.
        mean: Prefix of the last layer.
        activation: Between the layers.
        squashed: Actions end in a tanh, and are scaled from [-1, 1]; else they are clipped.
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
"""By the module of ``policy_class``: ``common`` is PPO and A2C."""

HARMLESS = {"use_sde", "net_arch", "n_critics"}
"""Settings of a policy that its tensors tell, or that its actor does not depend on."""


def read_actor(path: Path, env: gymnasium.Env[Any, Any], seed: int = 0) -> Demonstrator:
    """The stochastic actor of a checkpoint, from its tensors alone; nothing is unpickled.

    Understood are SAC, TD3 (whose actor has no noise), PPO and A2C with multilayer perceptrons and
    their default activations.

    Args:
        path: Zip file of ``model.save``.
        env: It is to act in.
        seed: Of its noise.

    Raises:
        InputError: The file is damaged, or its policy is another kind; see :data:`TRUST`.
    """
    settings, weights = _contents(path)
    layout = LAYOUTS.get(_kind(settings))
    kwargs = settings.get("policy_kwargs") or {}
    odd = {k for k in kwargs if not k.startswith(":")} - HARMLESS
    if layout is None or odd or settings.get("use_sde"):
        what = ", ".join(sorted(odd)) or ("use_sde" if layout else f"policy {_kind(settings)!r}")
        raise InputError(f"{path}: {what} is not understood from tensors alone. {TRUST}")
    layers = _layers(path, weights, layout)
    space = env.action_space
    assert isinstance(space, gymnasium.spaces.Box)
    seen = env.observation_space.shape or ()
    if (layers[0].in_features,) != seen or (layers[-1].out_features,) != space.shape:
        raise InputError(
            f"{path}: maps {layers[0].in_features} observations to {layers[-1].out_features} "
            f"actions, the environment has {seen} and {space.shape}"
        )
    generator = torch.Generator().manual_seed(seed)

    @torch.inference_mode()
    def act(obs: Array) -> Array:
        h = torch.as_tensor(obs, dtype=torch.float32)
        for layer in layers[:-1]:
            h = layout.activation()(layer(h))
        a, std = layers[-1](h), _deviation(weights, h)
        if std is not None:
            a = a + std * torch.randn(a.shape, generator=generator)
        if layout.squashed:
            action = space.low + (np.tanh(a.numpy()) + 1) / 2 * (space.high - space.low)
        else:
            action = np.clip(a.numpy(), space.low, space.high)
        return np.asarray(action, np.float32)

    return act


def _contents(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Settings as JSON has them, serialised parts left alone, and the tensors of the policy."""
    try:
        with zipfile.ZipFile(path) as file:
            settings = json.loads(file.read("data"))
            stored = io.BytesIO(file.read("policy.pth"))
        weights = torch.load(stored, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file (--policy takes a zip file, or sac)") from None
    except Exception as error:  # zip, JSON and torch have each their own
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(
            f"{path}: no checkpoint of Stable-Baselines3, or damaged: {reason}"
        ) from None
    if not isinstance(settings, dict) or not all(isinstance(w, Tensor) for w in weights.values()):
        raise InputError(f"{path}: no checkpoint of Stable-Baselines3")
    return settings, weights


def _kind(settings: dict[str, Any]) -> str:
    """The part of the policy's module that tells the algorithm, ``sac`` say."""
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
            raise InputError(f"{path}: {name}weight and bias are no layer. {TRUST}")
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": weight.float(), "bias": bias.float()})
        if layers and layers[-1].out_features != layer.in_features:
            raise InputError(f"{path}: {name}weight does not follow the layer before it. {TRUST}")
        layers.append(layer)
    if len(layers) < 2:
        raise InputError(f"{path}: no actor of at least two layers in it. {TRUST}")
    return layers


def _deviation(weights: dict[str, Tensor], hidden: Tensor) -> Tensor | None:
    """Standard deviation of the actor before any tanh; ``None`` for a deterministic one."""
    if "log_std" in weights:
        return weights["log_std"].exp()
    if "actor.log_std.weight" in weights:
        log_std = weights["actor.log_std.weight"] @ hidden + weights["actor.log_std.bias"]
        return log_std.clamp(-20, 2).exp()
    return None


def trusted_actor(path: Path) -> Demonstrator:
    """The actor of any checkpoint, by Stable-Baselines3's own loader, which unpickles.

    Raises:
        InputError: If its algorithm is none of SAC, TD3, PPO.
    """
    settings, _ = _contents(path)
    import stable_baselines3

    classes = {"sac": "SAC", "td3": "TD3", "common": "PPO"}
    if _kind(settings) not in classes:
        raise InputError(f"{path}: policy {_kind(settings)!r} is of none of {', '.join(classes)}")
    model = getattr(stable_baselines3, classes[_kind(settings)]).load(path, device="cpu")
    return lambda obs: np.asarray(model.predict(obs)[0], np.float32)


def train_sac(
    env: gymnasium.Env[Any, Any],
    good_enough: Callable[[Demonstrator], bool],
    path: Path,
    most: int,
    every: int,
    seed: int,
) -> bool:
    """Train SAC until it is good enough, asked every so many steps; its checkpoint is at ``path``.

    Returns:
        Whether it became so within ``most`` steps.
    """
    from stable_baselines3 import SAC

    model = SAC("MlpPolicy", env, seed=seed, device="cpu")
    done = 0
    while done < most:
        model.learn(min(every, most - done), reset_num_timesteps=False)
        done += every
        if good_enough(lambda obs: np.asarray(model.predict(obs)[0], np.float32)):
            model.save(path)
            return True
    model.save(path)
    return False
