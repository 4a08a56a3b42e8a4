"""Weights and checkpoints: what is damaged, incomplete or not finite is refused in one line."""

import zipfile
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from support.tiny import CONFIG, complain
from torch import nn

from oneleap.core.errors import InputError
from oneleap.core.hub.budget import Budget
from oneleap.core.reading.tensors import read_checkpoint, read_tensors, tensor_shapes
from oneleap.core.training.checkpoints import Checkpoints
from oneleap.domains.main import main


def checkpoint(**changes: Any) -> dict[str, Any]:
    """A checkpoint with the parts that every run has."""
    return {
        "state_dict": {"w": torch.ones(2)},
        "epoch": 0,
        "global_step": 3,
        "pytorch-lightning_version": "2.6.0",
        "loops": {"fit_loop": {"epoch_loop.batch_progress": {}}},
        "callbacks": {},
        "optimizer_states": [{"state": {0: {"exp_avg": torch.zeros(2)}}}],
        "lr_schedulers": [],
        **changes,
    }


def counting(progress: dict[str, Any]) -> dict[str, Any]:
    return checkpoint(loops={"fit_loop": {"epoch_loop.batch_progress": progress}})


@pytest.mark.parametrize("wrong", [{"best": "x"}, {"best": []}, {"seconds": {}}, {"rows": None}])
def test_what_a_run_keeps_beside_is_checked(wrong: dict[str, Any]) -> None:
    state = {"best": None, "seconds": 1.5, "rows": 3, "step": 3}
    found = Checkpoints()
    found.load_state_dict(state)
    assert found.rows == 3
    with pytest.raises(ValueError, match=f"damaged: {next(iter(wrong))} of Checkpoints is a"):
        found.load_state_dict(state | wrong)


def test_a_checkpoint_is_read(tmp_path: Path) -> None:
    torch.save(checkpoint(), tmp_path / "a.ckpt")
    assert read_checkpoint(tmp_path / "a.ckpt")["global_step"] == 3


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (checkpoint(state_dict=3), r"\(state_dict is missing\)"),
        (checkpoint(state_dict={"w": 3}), "other things than weights"),
        ({"state_dict": {}}, "epoch, global_step"),
        ([1], "not a checkpoint of a run"),
        (checkpoint(state_dict={"w": torch.tensor([1.0, torch.nan])}), "w holds numbers that are"),
        (checkpoint(optimizer_states=[{"m": torch.tensor(torch.inf)}]), "not finite"),
        (checkpoint(more=torch.zeros(1).expand(10**9)), "unpack to"),
        (checkpoint(**{"pytorch-lightning_version": "x"}), "pytorch-lightning_version is no"),
        (counting({"_batches_that_stepped": None}), "_batches_that_stepped is no count"),
        (counting({"total": {"ready": [1, 2]}}), "total/ready is no count"),
        (counting({"current": {"completed": -1}}), "current/completed is no count"),
        (counting({"current": {"started": 10**30}}), "current/started is no count"),
        (counting({"current": 3}), "current holds no counts"),
    ],
)
def test_what_is_no_checkpoint_is_refused(found: object, said: str, tmp_path: Path) -> None:
    torch.save(found, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match=rf"a\.ckpt.*{said}"):
        read_checkpoint(tmp_path / "a.ckpt")


def test_missing_optimizer_states_are_named(tmp_path: Path) -> None:
    found = checkpoint()
    del found["optimizer_states"]
    torch.save(found, tmp_path / "a.ckpt")
    with pytest.raises(InputError, match=r"\(optimizer_states is missing\): name another"):
        read_checkpoint(tmp_path / "a.ckpt")


def test_no_pickle_is_run(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> Any:
            return pytest.fail, ("unpickled",)

    torch.save(checkpoint(bomb=Bomb()), tmp_path / "a.ckpt")
    with pytest.raises(InputError, match="damaged, or not a checkpoint of a run"):
        read_checkpoint(tmp_path / "a.ckpt")
    with zipfile.ZipFile(tmp_path / "b.ckpt", "w") as file:
        file.writestr("../../outside", "x")
    with pytest.raises(InputError, match="damaged, or not a checkpoint of a run"):
        read_checkpoint(tmp_path / "b.ckpt")
    assert not (tmp_path.parent.parent / "outside").exists()


def test_a_run_does_not_resume_from_a_checkpoint_of_another_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    assert main(["fit", "--config", "tiny.yaml", "--run", "a", "--trainer.max_steps", "4"]) == 0
    good = torch.load("a/checkpoints/last.ckpt", weights_only=True)
    capsys.readouterr()
    key = next(key for key in good["callbacks"] if "Checkpoints" in key)
    other = {**good["callbacks"][key], "step": 3}
    for part, value, text in (
        ("optimizer_states", [{"state": 3}], "does not fit this run: 'param_groups' is missing"),
        ("loops", {"fit_loop": {"x": 1}}, "is damaged or not a checkpoint"),
        ("callbacks", {key: {"best": None}}, "does not fit this run: 'seconds' is missing"),
        ("callbacks", {key: other}, "it is of step 3, and its counters say 4"),
    ):
        torch.save({**good, part: value}, "bad.ckpt")
        said = complain(capsys, "fit --config tiny.yaml --run b --ckpt_path bad.ckpt")
        assert said.startswith("bad.ckpt")
        assert text in said
        assert not Path("b").exists()


def test_weights_that_are_not_finite_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.ones(2), "b": torch.tensor([torch.inf])}, tmp_path / "a.safetensors")
    with pytest.raises(InputError, match=r"a\.safetensors: b holds numbers that are not finite"):
        read_tensors(tmp_path / "a.safetensors")
    assert tensor_shapes(tmp_path / "a.safetensors") == {"a": [2], "b": [1]}
    (tmp_path / "a.safetensors").write_bytes(b"\xff" * 20)
    for read in (read_tensors, tensor_shapes):
        with pytest.raises(InputError, match="damaged, or not a safetensors file"):
            read(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "build",
    [
        lambda: nn.Linear(10**9, 1),
        lambda: nn.Embedding(10**6, 10**6),
        lambda: nn.Sequential(*(nn.Linear(2, 2) for _ in range(50_000))),
        lambda: torch.linspace(0, 1, 10**10),
        lambda: torch.zeros(1).repeat(10**10),
    ],
)
def test_a_model_that_is_far_larger_than_its_weights_is_not_built(build: Any) -> None:
    with pytest.raises(InputError, match="a: describes a model that is far larger"), Budget("a", 9):
        build()


def test_a_model_of_the_size_of_its_weights_is_built() -> None:
    with Budget("a", 4 * 2**20):
        net = nn.Linear(1024, 1024)
    assert net.weight.shape == (1024, 1024)
