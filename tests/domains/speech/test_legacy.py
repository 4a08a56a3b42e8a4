"""Old names of the domain in configurations and saved models."""

from typing import Any

from oneleap.core.hub.config import from_config
from oneleap.core.hub.legacy import migrate
from oneleap.core.training.optim import AdamConfig
from oneleap.core.training.recipe import Recipe
from oneleap.domains.speech import (
    ConvNeXtConfig,
    DiTConfig,
    SpeakerMix,
    SpeechData,
    TextEncoderConfig,
    UNetConfig,
)

OLD = "oneleap.domains.speech"


def described(class_path: str, **arguments: Any) -> dict[str, Any]:
    return {"class_path": class_path, "init_args": arguments}


def test_old_classes_are_found() -> None:
    for path, new in {
        "net.ConvNeXt": ConvNeXtConfig(),
        "net.DiT": DiTConfig(),
        "net.UNet": UNetConfig(),
        "net.Text": TextEncoderConfig(),
        "spec.Lean": SpeakerMix("a", "b", 0.25),
    }.items():
        given = {"speaker": "a", "to": "b", "share": 0.25} if path == "spec.Lean" else {}
        assert from_config(migrate(described(f"{OLD}.{path}", **given), described=True)) == new
    assert migrate({"class_path": f"{OLD}.datamodule.Speech"}) == {
        "class_path": f"{OLD}.SpeechData"
    }
    assert SpeechData.__name__ == "SpeechData"


def test_training_settings_of_an_old_model_are_its_recipe() -> None:
    optimizer = described("oneleap.core.optim.Adam", lr=0.1, clip=2.0)
    old = described(
        f"{OLD}.acoustic.Acoustic",
        leans=[described(f"{OLD}.spec.Lean", speaker="a", to="b", share=0.25)],
        optimizer=optimizer,
        ema=0.9,
        seed=3,
        compile_loss=True,
        teacher="there",
        from_teacher=True,
    )
    new = migrate(old, described=True)
    assert new["class_path"] == f"{OLD}.AcousticModel"
    recipe = from_config(new["init_args"]["recipe"])
    assert recipe == Recipe(AdamConfig(lr=0.1, clip=2.0), 0.9, 3, True, "there", True)
    (mix,) = new["init_args"]["speaker_mixes"]
    assert from_config(mix) == SpeakerMix("a", "b", 0.25)
    assert set(new["init_args"]) == {"recipe", "speaker_mixes"}


def test_the_seed_of_old_data_stays_where_it_is() -> None:
    old = described(f"{OLD}.datamodule.Speech", path=["a"], seed=3)
    assert migrate(old) == described(f"{OLD}.SpeechData", path=["a"], seed=3)
