"""Old names of this domain: saved models and configurations of earlier versions."""

import json
from pathlib import Path

import pytest
import torch
from support import tiny_music

import oneleap.domains.music as music
from oneleap.core.hub.legacy import migrate
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.domains.music.composer.loading import read_guidance


def test_every_public_name_can_be_imported() -> None:
    for name in music.__all__:
        assert getattr(music, name).__module__.startswith("oneleap.domains.music") or name.isupper()


def test_an_old_configuration_has_todays_names() -> None:
    old = {
        "class_path": "oneleap.domains.music.model.MusicModel",
        "init_args": {
            "backbone": {"class_path": "oneleap.domains.music.nets.UNet", "init_args": {}},
            "drop": 0.1,
            "optimizer": {"lr": 1e-3},
            "compile_loss": True,
            "seed": 3,
        },
    }
    assert migrate(old) == {
        "class_path": "oneleap.domains.music.MusicModel",
        "init_args": {
            "backbone": {"class_path": "oneleap.domains.music.UNetConfig", "init_args": {}},
            "drop": 0.1,
            "recipe": {"optimizer": {"lr": 1e-3}, "compile": True, "seed": 3},
        },
    }
    data = {"class_path": "oneleap.domains.music.datamodule.Music", "init_args": {"seed": 1}}
    assert migrate(data) == {
        "class_path": "oneleap.domains.music.MusicData",
        "init_args": {"seed": 1},
    }


def test_a_model_that_was_saved_by_an_earlier_version_is_loaded(tmp_path: Path) -> None:
    made = tiny_music.model()
    made.save_pretrained(tmp_path)
    file = tmp_path / "config.json"
    config = json.loads(file.read_text())
    config["class_path"] = "oneleap.domains.music.model.MusicModel"
    arguments = config["init_args"]
    recipe = arguments.pop("recipe")["init_args"]
    for new in ("init_from", "rank", "log_variance"):
        del recipe[new]
    arguments |= {"compile_loss": recipe.pop("compile"), **recipe}
    arguments["optimizer"]["class_path"] = "oneleap.core.optim.Adam"
    arguments["spec"]["class_path"] = "oneleap.domains.music.spec.Spec"
    arguments["backbone"]["class_path"] = "oneleap.domains.music.nets.DiT"
    file.write_text(json.dumps(config))
    again = load_pretrained(tmp_path)
    assert isinstance(again, music.MusicModel)
    assert again.recipe == made.recipe
    assert again.backbone == made.backbone
    weights = zip(made.parameters(), again.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in weights)


@pytest.mark.parametrize("path", ["composer.Composer", "composer.composer.Composer", "Composer"])
def test_a_composer_that_was_packed_by_an_earlier_version_is_loaded(
    path: str, tmp_path: Path
) -> None:
    config = {"class_path": f"oneleap.domains.music.{path}", "init_args": {"guidance": 1.5}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert read_guidance(tmp_path) == 1.5
