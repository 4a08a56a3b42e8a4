"""One seed for data, weights, draws and evaluations; seeds that are set by name win."""

import csv
import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file
from support.tiny import complain

from oneleap.core.cli.dispatch import ByDomain, Command, Group
from oneleap.core.cli.parse import build_data, parse_fit
from oneleap.domains.main import COMMANDS, main

pytest.importorskip("gymnasium")

FIT = [
    *("--config", "rl/ofql_d4rl", "--data.batch_size", "8", "--trainer.accelerator", "cpu"),
    *("--trainer.log_every_n_steps", "1", "--trainer.max_steps", "2", "--model.network.width", "8"),
    *("--model.recipe.compile", "false", "--trainer.callbacks.every", "2"),
    *("--trainer.callbacks.episodes", "2"),
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    g = np.random.default_rng(0)
    with h5py.File("hopper-medium.hdf5", "w") as file:
        file["observations"] = g.normal(size=(400, 11)).astype(np.float32)
        file["actions"] = g.uniform(-1, 1, (400, 3)).astype(np.float32)
        file["rewards"] = g.normal(size=400).astype(np.float32)
        file["terminals"] = np.arange(400) % 20 == 19
        file["timeouts"] = np.zeros(400, bool)
    return tmp_path


def seeds_of(*options: str) -> tuple[object, ...]:
    """The common seed, and those of data, weights and evaluation."""
    settings = parse_fit([*FIT, *options])
    (callback,) = settings.trainer.callbacks
    return (
        settings.seed,
        settings.data.init_args.seed,
        settings.model.init_args.recipe.seed,
        callback.init_args.seed,
    )


def weights(run: str) -> dict[str, torch.Tensor]:
    return load_file(Path(run, "model", "model.safetensors"))


def figures(run: str, name: str) -> list[str]:
    with Path(run, "metrics.csv").open() as file:
        return [row[name] for row in csv.DictReader(file) if row.get(name)]


def test_equal_seeds_are_equal_to_the_bit_and_others_differ_everywhere() -> None:
    pytest.importorskip("mujoco")
    for run, seed in (("a", "0"), ("b", "1"), ("c", "1")):
        assert main(["fit", *FIT, "--run", run, "--seed", seed]) == 0
    one, other, same = (weights(run) for run in "abc")
    assert all(torch.equal(other[name], same[name]) for name in other)
    assert all(not torch.equal(one[name], other[name]) for name in one if one[name].ndim > 1)
    for name in ("train/q", "eval/return"):
        assert figures("a", name)
        assert figures("a", name) != figures("b", name) == figures("c", name)
    batches = [
        next(iter(build_data(parse_fit([*FIT, "--seed", seed])).train_dataloader()))
        for seed in ("0", "1", "1")
    ]
    assert not torch.equal(batches[0].obs, batches[1].obs)
    assert torch.equal(batches[1].obs, batches[2].obs)
    config = yaml.safe_load(Path("b/config.yaml").read_text())
    assert config["seed"] == 1
    assert "seed_everything" not in config


def test_the_evaluation_alone_may_have_its_own_seed() -> None:
    pytest.importorskip("mujoco")
    for run, options in (("a", []), ("b", ["--trainer.callbacks.seed", "5"])):
        assert main(["fit", *FIT, "--run", run, "--seed", "1", *options]) == 0
    one, other = weights("a"), weights("b")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert figures("a", "eval/return") != figures("b", "eval/return")


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ([], (None, 0, 0, 0)),
        (["--seed", "3"], (3, 3, 3, 3)),
        (["--seed=3"], (3, 3, 3, 3)),
        (["--seed_everything", "3"], (3, 3, 3, 3)),
        (["--seed", "3", "--data.seed", "4"], (3, 4, 3, 3)),
        (["--data.init_args.seed=4", "--seed", "3"], (3, 4, 3, 3)),
        (["--seed", "3", "--model.recipe.seed=0"], (3, 3, 0, 3)),
        (["--seed", "3", "--model.recipe={seed: 5, compile: false}"], (3, 3, 5, 3)),
        (["--seed", "3", "--trainer.callbacks.seed", "6"], (3, 3, 3, 6)),
        (["--config", "data.yaml"], (None, 7, 0, 0)),
        (["--config", "data.yaml", "--seed", "3"], (3, 3, 3, 3)),
        (["--config", "both.yaml"], (8, 7, 8, 8)),
        (["--config", "old.yaml"], (8, 8, 8, 8)),
        (["--config", "both.yaml", "--data.seed", "1"], (8, 1, 8, 8)),
        (["--config", "both.yaml", "--seed", "3"], (3, 3, 3, 3)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_which_seed_wins(options: list[str], found: tuple[object, ...]) -> None:
    Path("data.yaml").write_text("data: {init_args: {seed: 7}}\n")
    Path("both.yaml").write_text("seed: 8\ndata: {init_args: {seed: 7}}\n")
    Path("old.yaml").write_text("seed_everything: 8\n")
    assert seeds_of(*options) == found


@pytest.mark.parametrize(
    "name",
    [
        *("rl/bc-flow_pointmaze-umaze", "robot/dm1_lift", "audio/vocos_speech"),
        *("audio/nsf_singing", "music/flow_music", "singing/flow", "singing/durations"),
        "speech/flow_ljspeech",
    ],
)
def test_every_domain_takes_the_seed(name: str) -> None:
    settings = parse_fit(["--config", name, "--seed", "9"])
    assert settings.data.init_args.seed == 9
    model = settings.model.init_args
    assert (model.recipe if "recipe" in model else model).seed == 9


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--seed -1", "seed: -1 is negative"),
        ("--seed 4294967296", "seed: 4294967296 is above 4294967295"),
        ("--seed one", "seed: expected int"),
        ("--data.seed -2", "seed: -2 is negative"),
        ("--seed_everything true", "seed_everything: True is not a number: use --seed N"),
        ("--seed 1 --seed_everything 2", "seed 1 and seed_everything 2 differ"),
    ],
)
def test_what_is_no_seed_is_one_line(
    options: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint in complain(capsys, f"fit --config rl/ofql_d4rl {options}")


def test_a_resumed_run_keeps_its_seed() -> None:
    pytest.importorskip("mujoco")
    longer = ["--trainer.max_steps", "4"]
    groups = ("recipe", "critic_config")
    fit = ["fit", *FIT, *(f"--model.{group}.optimizer.cosine=false" for group in groups)]
    assert main([*fit, "--run", "whole", "--seed", "1", *longer]) == 0
    assert main([*fit, "--run", "parts", "--seed", "1"]) == 0
    assert main([*fit, "--run", "parts", "--ckpt_path", "last", *longer]) == 0
    assert figures("parts", "train/q") == figures("whole", "train/q") != []


NO_DRAWS = {
    "average": "combines stored weights",
    "bench startup": "times processes",
    "collect labels": "converts recordings",
    "collect pixels": "draws given data",
    "composer": "packs models",
    "configs": "lists files",
    "methods": "lists classes",
    "doctor": "examines the machine",
    "export": "writes a model",
    "serve": "a seed comes with each request",
    "singer": "packs models",
    "sweep": "takes several seeds",
    "voice pack": "packs models",
    "voices": "lists voices",
}
"""Commands without randomness of their own."""


def functions() -> dict[str, Callable[..., Any]]:
    """All commands that are functions, by name; those of a domain with its name."""
    targets = {}
    for name, command in COMMANDS.items():
        if isinstance(command, Command):
            targets[name] = command.target
        elif isinstance(command, Group):
            targets |= {f"{name} {sub}": target for sub, target in command.commands.items()}
        elif isinstance(command, ByDomain):
            targets |= {f"{name} {domain}": target for domain, target in command.domains.items()}
    found = {}
    for name, target in targets.items():
        module, _, function = target.partition(":")
        found[name] = getattr(import_module(module), function)
    return found


def test_every_command_that_draws_takes_a_seed() -> None:
    for name, function in functions().items():
        seed = inspect.signature(function).parameters.get("seed")
        if name in NO_DRAWS or name.partition(" ")[0] in NO_DRAWS:
            assert seed is None, name
        else:
            assert seed is not None, name
            assert (seed.default, seed.annotation) == (0, int), name


@pytest.mark.parametrize("line", ["speak hello", "bench music", "collect music x", "demo"])
def test_a_negative_seed_is_refused_everywhere(
    line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complain(capsys, f"{line} --seed -1") == "seed: -1 is negative"
