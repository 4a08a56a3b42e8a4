"""The shipped models of the studio: their names without loading them, and loading at first use."""

import json
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oneleap.domains.music import Composer
    from oneleap.domains.rl import Policy
    from oneleap.domains.singing import Singer
    from oneleap.domains.speech import Voice

POLICY, COMPOSER = "pointmaze-umaze", "tunes"
"""Names of the shipped policy and the shipped composer."""


def voice_names() -> list[str]:
    """Return the names of the shipped voices, the default one first."""
    from oneleap.domains.speech.text.voices import DEFAULT_VOICE, shipped_folders

    return sorted(shipped_folders(), key=lambda name: (name != DEFAULT_VOICE, name))


def composer_tags() -> list[str]:
    """Return the tags of the shipped composer."""
    config = files("oneleap.domains.music") / "composers" / COMPOSER / "base" / "config.json"
    found: list[str] = json.loads(config.read_text(encoding="utf-8"))["init_args"]["spec"][
        "init_args"
    ]["tags"]
    return found


@lru_cache(maxsize=4)
def load_voice(name: str) -> "Voice":
    """Load a shipped voice as ``oneleap speak`` does; the last four are kept."""
    from oneleap.domains.speech import Voice

    return Voice.load(name, int8=True)


@lru_cache(maxsize=2)
def load_singer(name: str) -> "Singer":
    """Load a shipped singer; the last two are kept."""
    from oneleap.domains.singing import Singer

    return Singer.load(name)


@lru_cache(maxsize=1)
def load_composer() -> "Composer":
    """Load the shipped composer."""
    from oneleap.domains.music import Composer

    return Composer.load(COMPOSER)


@lru_cache(maxsize=1)
def load_policy() -> "Policy":
    """Load the shipped policy."""
    from oneleap.core.hub.pretrained import load_pretrained
    from oneleap.core.hub.registry import shipped_models
    from oneleap.domains.rl import Policy

    policy = load_pretrained(shipped_models("oneleap.domains.rl", "policies")[POLICY])
    assert isinstance(policy, Policy)
    return policy
