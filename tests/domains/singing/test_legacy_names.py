"""Class names and arguments of earlier versions still work."""

import pytest

from oneleap.core import (
    ConsistencySampler,
    DDPMSampler,
    EulerSampler,
    FlowMapSampler,
    PLMSSampler,
    Recipe,
)
from oneleap.core.hub.config import from_config
from oneleap.core.hub.legacy import migrate
from oneleap.domains.singing import CoarseMelSampler, DurationModel
from oneleap.domains.singing.legacy import CLASSES
from oneleap.domains.singing.models.sampling import diffsinger_schedule

SCHEDULE = diffsinger_schedule()


@pytest.mark.parametrize(
    ("name", "arguments", "sampler"),
    [
        ("Leap", {}, FlowMapSampler(1, 1.0)),
        ("Leap", {"steps": 2, "depth": 0.6}, FlowMapSampler(2, 0.6)),
        ("Euler", {}, EulerSampler(20, depth=0.6)),
        ("Euler", {"steps": 5, "depth": 1.0}, EulerSampler(5, depth=1.0)),
        ("Consistency", {"steps": 1, "depth": 0.6}, ConsistencySampler(1, 0.6)),
        ("Ancestral", {"steps": 50, "boundary": 7}, DDPMSampler(SCHEDULE, 50, None, 7)),
        ("Ancestral", {}, DDPMSampler(SCHEDULE, 100, None)),
        ("PLMS", {"boundary": 60}, PLMSSampler(SCHEDULE, 10, 60)),
        ("Rough", {}, CoarseMelSampler()),
    ],
)
def test_old_samplers(name: str, arguments: dict[str, object], sampler: object) -> None:
    old = {"class_path": f"oneleap.domains.singing.samplers.{name}", "init_args": arguments}
    assert from_config(migrate(old, described=True)) == sampler


def test_flat_arguments_of_training_form_a_recipe() -> None:
    spec = {"class_path": "oneleap.domains.singing.spec.Spec", "init_args": {}}
    encoder = {"class_path": "oneleap.domains.singing.net.Encoder", "init_args": {"width": 8}}
    arguments = {"spec": spec, "encoder": encoder, "ema": 0.5, "seed": 3}
    old = {"class_path": "oneleap.domains.singing.durations.Durations", "init_args": arguments}
    model = from_config(migrate(old, described=True))
    assert isinstance(model, DurationModel)
    assert (model.recipe, model.encoder.width) == (Recipe(ema=0.5, seed=3), 8)


@pytest.mark.parametrize("path", sorted(set(CLASSES.values())))
def test_present_names_exist(path: str) -> None:
    package, _, name = path.rpartition(".")
    assert name in vars(__import__(package, fromlist=["__all__"]))["__all__"]
