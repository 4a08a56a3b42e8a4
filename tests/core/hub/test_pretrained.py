"""A model survives the way to its folder and back; whatever is wrong there is told in a line."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import load_file, save_file
from support.tiny import Shrink, Spec
from torch import nn

from oneleap.core.errors import InputError
from oneleap.core.hub import pretrained as hub
from oneleap.core.hub.pretrained import CARD, CONFIG, WEIGHTS, Pretrained, load_pretrained
from oneleap.core.training.optim import AdamConfig

SPEC = Spec(3, (1.0, 2.0, 3.0), ["a"])
TRUST = ("support", __name__.partition(".")[0])


class Tied(Pretrained, nn.Module):
    """Two names for one weight."""

    def __init__(self, width: int = 4) -> None:
        super().__init__()
        self.width = width
        self.a, self.b = nn.Linear(width, width), nn.Linear(width, width)
        self.b.weight = self.a.weight


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    Shrink(SPEC, optimizer=AdamConfig(lr=0.5)).save_pretrained(tmp_path / "model", card="# Hello\n")
    return tmp_path / "model"


def same_weights(a: nn.Module, b: nn.Module) -> bool:
    theirs = b.state_dict()
    return all(torch.equal(w, theirs[name]) for name, w in a.state_dict().items())


def test_round_trip(folder: Path) -> None:
    model = Shrink(SPEC, optimizer=AdamConfig(lr=0.5))
    with torch.no_grad():
        model.net.weight.fill_(7)
        model.mean.fill_(8)
    model.save_pretrained(folder, card="# Hello\n")
    again = Shrink.from_pretrained(folder, trusted=TRUST)
    assert same_weights(model, again)
    assert (again.spec, again.optimizer, again.training) == (SPEC, AdamConfig(lr=0.5), False)
    assert sorted(p.name for p in folder.iterdir()) == [CARD, CONFIG, WEIGHTS]
    assert (folder / CARD).read_text() == "# Hello\n"


def test_the_class_is_found_in_the_configuration(folder: Path) -> None:
    assert type(load_pretrained(folder, trusted=TRUST)) is Shrink
    config = json.loads((folder / CONFIG).read_text())
    assert config["class_path"] == "support.tiny.Shrink"
    assert config["init_args"]["spec"]["init_args"]["dim"] == 3
    assert config["oneleap_version"] == "0.1.0"


def test_tied_weights_stay_tied(tmp_path: Path) -> None:
    model = Tied()
    model.save_pretrained(tmp_path)
    again = Tied.from_pretrained(tmp_path, trusted=TRUST)
    assert again.a.weight is again.b.weight
    assert same_weights(model, again)


def test_graphs_of_other_weights_go(folder: Path) -> None:
    graphs = [folder / f"policy{suffix}" for suffix in (".onnx", ".pt2", ".pt")]
    for graph in graphs:
        graph.write_bytes(b"graph")
    load_pretrained(folder, trusted=TRUST).save_pretrained(folder)
    assert not any(graph.exists() for graph in graphs)


def test_saving_again_leaves_no_mixture(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(hub, "save_model", fail)
    with pytest.raises(OSError, match="disk full"):
        Shrink(SPEC).save_pretrained(folder)
    with pytest.raises(InputError, match="holds no model"):
        load_pretrained(folder, trusted=TRUST)


def edit_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / CONFIG).read_text())
    (folder / CONFIG).write_text(json.dumps({**config, **changes}))


def edit_weights(folder: Path, **changes: torch.Tensor | None) -> None:
    weights = {**load_file(folder / WEIGHTS), **changes}
    save_file({k: w for k, w in weights.items() if w is not None}, folder / WEIGHTS)


MISTAKES = {
    "no config": (lambda f: (f / CONFIG).unlink(), "holds no model: config.json is missing"),
    "no JSON": (lambda f: (f / CONFIG).write_text("{"), "not JSON"),
    "no class": (lambda f: (f / CONFIG).write_text("{}"), "no class_path"),
    "no object": (lambda f: (f / CONFIG).write_text("[]"), "no class_path"),
    "no model": (
        lambda f: (f / CONFIG).write_text(
            '{"class_path": "oneleap.core.training.optim.AdamConfig"}'
        ),
        "AdamConfig is not a model",
    ),
    "not ours": (lambda f: edit_config(f, class_path="os.system"), "is not a class of oneleap"),
    "no weights": (lambda f: (f / WEIGHTS).unlink(), "model.safetensors is missing"),
    "damaged": (
        lambda f: (f / WEIGHTS).write_bytes(b"PK\3\4 pickle"),
        "damaged, or not a safetensors file",
    ),
    "cut short": (
        lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:-4]),
        "damaged, or not a safetensors file",
    ),
    "lacking": (lambda f: edit_weights(f, mean=None), "mean is missing (1 such"),
    "unknown": (lambda f: edit_weights(f, extra=torch.ones(1)), "extra is not a weight"),
    "not finite": (
        lambda f: edit_weights(f, **{"net.bias": torch.tensor([torch.nan])}),
        "net.bias holds numbers that are not finite",
    ),
    "nested": (lambda f: (f / CONFIG).write_text("[" * 100_000), "nested too deeply"),
    "wrong type": (lambda f: edit_config(f, init_args={"spec": 3}), "damaged, or not the config"),
    "size": (
        lambda f: edit_weights(f, mean=torch.ones(4)),
        "mean has shape [4], but config.json gives [3]",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_named(folder: Path, name: str) -> None:
    spoil, complaint = MISTAKES[name]
    spoil(folder)
    with pytest.raises(InputError) as caught:
        load_pretrained(folder, trusted=TRUST)
    assert complaint in str(caught.value)
    assert str(folder) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_another_class_is_refused(folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"holds a Shrink, not a Tied: use Shrink\.from_pretrained"
    ):
        Tied.from_pretrained(folder, trusted=TRUST)


def test_a_run_is_not_its_model(folder: Path) -> None:
    with pytest.raises(InputError, match=r"the run's model is in .*model"):
        load_pretrained(folder.parent)


def test_classes_of_others_need_trust(folder: Path) -> None:
    with pytest.raises(
        InputError, match=r"--trusted support \(in Python, trusted=\('support',\)\)"
    ):
        load_pretrained(folder)


def test_only_modules_are_saved(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"not a torch\.nn\.Module"):
        Pretrained().save_pretrained(tmp_path)


def test_the_hub_is_asked_for_what_is_no_folder(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def snapshot_download(repo_id: str, *, revision: str, allow_patterns: list[str]) -> str:
        asked.append((repo_id, revision, allow_patterns))
        return str(folder)

    fake = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    Shrink.from_pretrained("who/what", revision="v1", trusted=TRUST)
    assert asked == [("who/what", "v1", [WEIGHTS, CONFIG, CARD])]


@pytest.mark.parametrize("error", [OSError("no network\nmore"), ValueError("bad name")])
def test_no_way_to_the_hub(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def snapshot_download(*args: object, **kwargs: object) -> str:
        raise error

    fake = SimpleNamespace(snapshot_download=snapshot_download)
    monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
    with pytest.raises(
        InputError, match=r"^who/what: no such folder, and not on the Hub \([^\n]+\)$"
    ):
        load_pretrained("who/what")


def test_the_hub_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"oneleap\[export\]"):
        load_pretrained("who/what")


@pytest.mark.parametrize("path", ["nowhere", "./no/where", "/no/where/at/all", "../nowhere"])
def test_a_path_is_never_looked_for_on_the_hub(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(InputError, match=r"no such folder$"):
        load_pretrained(path)
