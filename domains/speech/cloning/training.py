"""The two trainings of a clone: the acoustic model and the vocoder of another voice go on."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from oneleap.core.cli import fit
from oneleap.core.cli.configs import find_config
from oneleap.core.files import atomic_write
from oneleap.core.hub.pretrained import CONFIG as MODEL_CONFIG
from oneleap.core.hub.pretrained import read_config
from oneleap.core.training.run import CONFIG, LAST, MODEL
from oneleap.domains.speech.voice.loading import ACOUSTIC, VOCODER

ACOUSTIC_CONFIG, VOCODER_CONFIG = "speech/clone", "audio/clone"
"""Configurations of the two trainings."""


def acoustic_settings(base: Path, data: Path, cache: Path, language: str) -> dict[str, Any]:
    """Settings of the acoustic model's training, which its configuration leaves open.

    Sizes and formats are those of the voice to start from.

    Args:
        base: Folder of the voice to start from.
        data: Folder of the clips.
        cache: Folder for computed features.
        language: Language of the clips.

    Returns:
        Settings by their name in the configuration.
    """
    arguments = read_config(base / ACOUSTIC)["init_args"]
    spec = arguments["spec"]["init_args"]
    kept = ("text", "decoder", "sampler", "temperature", "expressive")
    return {
        **{f"model.init_args.{name}": arguments[name] for name in kept},
        "model.init_args.recipe.init_from": str((base / ACOUSTIC).resolve()),
        "data.init_args.path": [str(data)],
        "data.init_args.mel": spec["mel"]["init_args"],
        "data.init_args.pitch": spec["pitch"]["init_args"],
        "data.init_args.phonemizer": spec["phonemizer"],
        "data.init_args.language": language,
        "data.init_args.cache": str(cache),
    }


def vocoder_settings(base: Path, data: Path) -> dict[str, Any]:
    """Settings of the vocoder's training, see :func:`acoustic_settings`."""
    arguments = read_config(base / VOCODER)["init_args"]
    return {
        **{f"model.init_args.{name}": arguments[name] for name in ("width", "hidden", "depth")},
        "model.init_args.init_from": str((base / VOCODER).resolve()),
        "data.init_args.path": [str(data / "wavs")],
        "data.init_args.mel": arguments["spec"]["init_args"],
    }


def train(name: str, settings: Mapping[str, Any], run: Path, seed: int, steps: int | None) -> Path:
    """Run a training, or the rest of it, and return the folder of its model.

    Args:
        name: Name of the configuration.
        settings: Settings that it leaves open.
        run: Folder of the run. One that is finished is used as it is.
        seed: Seed of the run.
        steps: Number of gradient steps; by default that of the configuration.

    Raises:
        InputError: If a setting is wrong.
    """
    model = run / MODEL
    if (model / MODEL_CONFIG).is_file():
        return model
    if (run / CONFIG).is_file() and not (run / LAST).is_file():
        shutil.rmtree(run)  # it stopped before its first checkpoint
    config = run.with_suffix(".yaml")
    written = yaml.safe_load(find_config(name).read_text(encoding="utf-8"))
    length = {} if steps is None else {"trainer.max_steps": steps}
    for key, value in {**settings, **length}.items():
        *groups, last = key.split(".")
        place = written
        for group in groups:
            place = place.setdefault(group, {})
        place[last] = value
    with atomic_write(config) as path:
        path.write_text(yaml.safe_dump(written, sort_keys=False), encoding="utf-8")
    resumed = ["--ckpt_path=last"] if (run / LAST).is_file() else []
    start = [f"--config={config}", f"--run={run}", f"--seed={seed}", "--trainer.devices=1"]
    fit.main("fit", [*start, *resumed])
    return model
