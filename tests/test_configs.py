"""Every configuration that ships is parsed and built, on data that are not there."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import yaml
from jsonargparse import ArgumentParser, Namespace

import oneleap.core.objectives  # noqa: F401  (bare names)
from oneleap.core.cli.configs import config_purpose, find_config, run_name, shipped_configs
from oneleap.core.cli.fit import MODEL_TYPES
from oneleap.core.cli.parse import parse_fit
from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import Pretrained, load_pretrained
from oneleap.core.training.model import GenerativeModel
from oneleap.domains.main import main

CONFIGS = shipped_configs()


def parser(*, skip: set[str]) -> ArgumentParser:
    """The same arguments as ``oneleap fit``, data and trainer not built."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_subclass_arguments(L.LightningDataModule, "data", instantiate=False)
    parser.add_subclass_arguments(MODEL_TYPES, "model", skip=skip)
    parser.add_class_arguments(L.Trainer, "trainer", instantiate=False)
    return parser


def fake_spec(model: str) -> object:
    """What the data would say, for a model of the given module."""
    from support import tiny_robot

    from oneleap.domains.audio.mel import Mel
    from oneleap.domains.music.spec import Spec as Music
    from oneleap.domains.rl.spec import Spec
    from oneleap.domains.singing.spec import Spec as Song
    from oneleap.domains.speech.spec import Spec as Speech

    specs = {
        "audio": Mel(),
        "music": Music(tags=("calm", "fast")),
        "speech": Speech(),
        "singing": Song(),
        "rl": Spec(3, 2, (0.0,) * 3, (1.0,) * 3, (-1.0,) * 2, (1.0,) * 2),
        "robot": tiny_robot.spec(),
    }
    return specs[model.split(".")[2]]


def test_there_are_some() -> None:
    assert {"rl/ofql_pointmaze-umaze", "rl/ofql_d4rl"} <= set(CONFIGS)


@pytest.mark.parametrize("name", CONFIGS)
def test_it_parses_and_its_model_is_built_and_saved(name: str, tmp_path: Path) -> None:
    pytest.importorskip("gymnasium")
    settings = yaml.safe_load(CONFIGS[name].read_text())
    settings = {key: settings[key] for key in ("model", "data", "trainer")}
    settings["data"]["init_args"].setdefault("path", "given with --data.path")
    if settings["data"]["class_path"].endswith("OnlineData"):
        settings["data"]["init_args"]["run"] = "given with --data.run"
    parsed = parser(skip={"spec"}).parse_object(settings)
    assert parsed.trainer.max_steps > 0
    spec = fake_spec(parsed.model.class_path)
    if "Pixel" in parsed.model.class_path:
        spec = replace(spec, obs_dim=768, obs_mean=(), obs_std=(), image=(16, 16, 3))
    if cameras := settings["data"]["init_args"].get("cameras"):
        spec = replace(spec, cameras=tuple(cameras), image_size=(24, 24))
    built = parser(skip={"spec"}).instantiate(
        parsed,
        instantiators=[
            *((lambda cls, **given: cls(spec=spec, **given), kind, True) for kind in MODEL_TYPES),
            (lambda cls, **given: None, L.LightningDataModule, True),
        ],
    )
    assert isinstance(built.model, Pretrained)
    built.model.save_pretrained(tmp_path)
    again: Any = load_pretrained(tmp_path)
    assert again.spec == spec
    if isinstance(built.model, GenerativeModel):
        assert isinstance(again, type(built.model))
        assert again.objective == built.model.objective


# Learning rate, clip, max-Q backup and eta of Diffusion-QL's code, for the tasks it has.
PUBLISHED = {
    "halfcheetah-medium": (3e-4, 9, False, 1.0),
    "hopper-medium": (3e-4, 9, False, 1.0),
    "walker2d-medium": (3e-4, 1, False, 1.0),
    "halfcheetah-medium-replay": (3e-4, 2, False, 1.0),
    "hopper-medium-replay": (3e-4, 4, False, 1.0),
    "walker2d-medium-replay": (3e-4, 4, False, 1.0),
    "halfcheetah-medium-expert": (3e-4, 7, False, 1.0),
    "hopper-medium-expert": (3e-4, 5, False, 1.0),
    "walker2d-medium-expert": (3e-4, 5, False, 1.0),
    "antmaze-umaze": (3e-4, 2, False, 0.5),
    "antmaze-umaze-diverse": (3e-4, 3, True, 2.0),
    "antmaze-medium-play": (1e-3, 2, True, 2.0),
    "antmaze-medium-diverse": (3e-4, 1, True, 3.0),
    "antmaze-large-play": (3e-4, 10, True, 4.5),
    "antmaze-large-diverse": (3e-4, 7, True, 3.5),
    "pen-human": (3e-5, 7, False, 0.15),
    "pen-cloned": (3e-5, 8, False, 0.1),
    "kitchen-complete": (3e-4, 9, False, 0.005),
    "kitchen-partial": (3e-4, 10, False, 0.005),
    "kitchen-mixed": (3e-4, 10, False, 0.005),
}
PEERS = [
    "bfq",
    "dfp",
    "dql",
    "dsrl",
    "fbrac",
    "fql",
    "idql",
    "ifql",
    "iql",
    "meanflow-ql",
    "rebrac",
]
MUJOCO = ("hopper", "halfcheetah", "walker2d")
MAZES = [f"pointmaze-{m}{kind}" for m in ("umaze", "medium", "large") for kind in ("", "-sparse")]


@pytest.mark.parametrize("task", PUBLISHED)
def test_tasks_have_the_published_settings(task: str) -> None:
    settings = yaml.safe_load(CONFIGS[f"rl/ofql_{task}"].read_text())
    lr, clip, max_q, eta = PUBLISHED[task]
    model = settings["model"]["init_args"]
    for group, rate in (("recipe", lr), ("critic_config", 3e-4)):  # the critics' is one for all
        assert model[group]["optimizer"] == {"lr": rate, "cosine": True, "clip": clip}
    assert model["critic_config"].get("max_q_backup", False) is max_q
    assert model["eta"] in (0.001, 0.01, 0.1, 0.3, 0.5)
    text = CONFIGS[f"rl/ofql_{task}"].read_text()
    prose = text.replace("\n# ", " ")
    assert f"--config rl/ofql_{task} --config rl/dql_d4rl --model.eta {eta}\n" in text
    assert "not comparable" in prose or "Minari has no such data" in prose


@pytest.mark.parametrize("task", [t for t in PUBLISHED if t.split("-")[0] in MUJOCO] + ["online"])
def test_mujoco_tasks_hold_the_imitation_where_the_policy_acts(task: str) -> None:
    model = yaml.safe_load(CONFIGS[f"rl/ofql_{task}"].read_text())["model"]["init_args"]
    pairs = model["objective"]["init_args"]["pairs"]
    if task.startswith(("hopper", "online")):
        assert pairs == {
            "times": {"class_path": "oneleap.core.Uniform"},
            "p_equal": 0.5,
        }
    else:
        assert pairs == {"p_equal": 0.5, "deployed": [1], "p_deployed": 0.25}
    assert model.get("residual", False) is (task == "halfcheetah-medium")  # where it was measured
    assert model["critic_config"]["layer_norm"] is True  # of a run and of what continues it


def test_every_task_of_the_domain_is_there() -> None:
    assert {f"rl/ofql_{task}" for task in [*PUBLISHED, "door-human", "door-cloned", *MAZES]} <= set(
        CONFIGS
    )
    goals = {task: yaml.safe_load(CONFIGS[f"rl/ofql_{task}"].read_text())["data"] for task in MAZES}
    from oneleap.domains.rl.envs.mazes import MAZES as LAYOUTS

    for task, data in goals.items():
        reward = data["init_args"]["reward"]["init_args"]
        assert tuple(reward["goal"]) == LAYOUTS[task.split("-")[1]].goal
        assert reward["dense"] is not task.endswith("-sparse")


def laid_over(*names: str) -> Namespace:
    """What configurations say together, each laid over those before."""
    merged = parser(skip={"spec"})
    merged.add_argument("--config", action="config")
    return merged.parse_args([f"--config={CONFIGS[name]}" for name in names])


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_laid_over_a_task_takes_its_data(peer: str) -> None:
    """And of its settings what the peer's authors have per task: Diffusion-QL, and nobody else."""
    pytest.importorskip("gymnasium")
    parsed = laid_over("rl/ofql_antmaze-large-play", f"rl/{peer}_d4rl")
    assert parsed.data.init_args.path == "antmaze-large-play.hdf5"
    assert parsed.data.init_args.env == "none"
    given = parsed.model.init_args
    family = peer in ("bfq", "dql")
    critic = given.critic_config
    clip = {"meanflow-ql": 1.0}.get(peer, 10.0 if family else None)
    assert given.recipe.optimizer.clip == critic.optimizer.clip == clip
    assert critic.max_q_backup is family
    assert critic.optimizer.cosine is family


@pytest.mark.parametrize("peer", PEERS)
def test_a_peer_laid_over_hopper_keeps_its_target_critics(peer: str) -> None:
    pytest.importorskip("gymnasium")
    task = laid_over("rl/ofql_hopper-medium").model.init_args
    over = laid_over("rl/ofql_hopper-medium", f"rl/{peer}_d4rl").model.init_args
    assert task.critic_config.tau == 0.05
    assert over.critic_config.tau == 0.005


def test_training_leaves_the_form_of_settings_as_it_is() -> None:
    """Parsers of classes are kept, so those of before a training meet those of after it."""
    pytest.importorskip("gymnasium")
    before = laid_over("rl/ofql_hopper-medium").model.init_args.objective
    parse_fit(["--config", "rl/ofql_hopper-medium"])
    assert laid_over("rl/ofql_hopper-medium").model.init_args.objective == before
    assert before.init_args.pairs.class_path == "oneleap.core.TimePairs"


@pytest.mark.parametrize("name", CONFIGS)
def test_its_first_line_says_what_it_is_for(name: str) -> None:
    assert CONFIGS[name].read_text().startswith("# ")
    assert 20 < len(config_purpose(CONFIGS[name])) <= 100


def test_configs_are_listed_with_a_line_each(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(CONFIGS)
    assert all(
        config_purpose(path) in line for line, path in zip(lines, CONFIGS.values(), strict=True)
    )


def test_names_and_paths_are_found(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.touch()
    assert find_config(str(path)) == path
    assert find_config("rl/ofql_d4rl") == CONFIGS["rl/ofql_d4rl"]
    with pytest.raises(InputError, match=r"'rl/ofql_d4r1'; did you mean 'rl/ofql_d4rl'\?"):
        find_config("rl/ofql_d4r1")


def test_runs_are_filed_under_the_configuration(tmp_path: Path) -> None:
    assert run_name("rl/ofql_d4rl") == "rl/ofql_d4rl"
    assert run_name(str(tmp_path / "mine.yaml")) == "mine"
    assert run_name("runs/rl/ofql_d4rl/2026-01-01/config.yaml") == "ofql_d4rl"
