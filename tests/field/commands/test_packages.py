"""Own packages: environments that one registers, classes that it defines, and files of others."""

import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest
from support.tiny import complain

from oneleap.core.cli.datamodule import load_datamodule
from oneleap.core.errors import InputError
from oneleap.core.hub.pretrained import load_pretrained
from oneleap.core.hub.trust import current_folder_importable, user_packages
from oneleap.domains.main import main
from oneleap.domains.rl import OFQL, Policy

gymnasium = pytest.importorskip("gymnasium")

PACKAGE = '''"""An environment, and a policy of its own."""

import gymnasium
import numpy as np

from oneleap.domains.rl import OFQL


class Line(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,), np.float32)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return self.at.copy(), {}

    def step(self, action):
        self.at = self.at + np.float32(0.1) * action.astype(np.float32)
        return self.at.copy(), float(action[0]), False, False, {}


gymnasium.register("MyLine-v0", entry_point=Line, max_episode_steps=5)


class MyPolicy(OFQL):
    """OFQL under another name."""
'''
FIT = [
    *("fit", "--config", "rl/ofql_d4rl", "--data.path", "line.hdf5", "--data.batch_size", "8"),
    *("--trainer.max_steps", "2", "--trainer.accelerator", "cpu", "--run", "a run"),
    *("--model.network.width", "8", "--model.recipe.compile", "false"),
]


def forget() -> None:
    """Undo what importing the package did."""
    sys.modules.pop("mypackage", None)
    gymnasium.registry.pop("MyLine-v0", None)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage" / "__init__.py").write_text(PACKAGE)
    g = np.random.default_rng(0)
    with h5py.File("line.hdf5", "w") as file:
        file["observations"] = g.normal(size=(40, 2)).astype(np.float32)
        file["actions"] = g.uniform(-1, 1, (40, 1)).astype(np.float32)
        file["rewards"] = g.normal(size=40).astype(np.float32)
        file["terminals"] = np.arange(40) % 10 == 9
        file["timeouts"] = np.zeros(40, bool)
    yield tmp_path
    forget()


def next_words(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """The command that was printed last."""
    line = capsys.readouterr().out.splitlines()[-1]
    assert line.startswith("next: oneleap ")
    return shlex.split(line)[2:]


def test_an_imported_package_registers_its_environment(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert "MyLine-v0" in complain(capsys, "fit " + " ".join(FIT[1:-6]) + " --data.env MyLine-v0")
    assert main([*FIT, "--data.env", "MyLine-v0", "--import", "mypackage"]) == 0
    words = next_words(capsys)
    assert words == ["evaluate", "a run", "--import", "mypackage"]
    forget()  # as a new process
    assert main([*words, "--episodes", "2", "--video", "false"]) == 0
    forget()
    assert main(["evaluate", "a run/model", "--episodes", "1", "--video", "false"]) == 2
    assert "MyLine-v0" in capsys.readouterr().err


def test_an_own_policy_is_evaluated_and_exported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    config = Path("own.yaml")
    config.write_text("model: {class_path: mypackage.MyPolicy, init_args: {objective: MeanFlow}}\n")
    own = ["--config", "own.yaml", "--import", "mypackage", "--data.env", "MyLine-v0"]
    assert main([*FIT, *own]) == 0
    words = next_words(capsys)
    assert words == ["evaluate", "a run", "--trusted", "mypackage", "--import", "mypackage"]
    assert "--trusted mypackage" in complain(capsys, "evaluate 'a run'")
    forget()
    trusted = ["--trusted", "mypackage"]
    assert main(["evaluate", "a run/model", "--episodes", "1", "--video", "false", *trusted]) == 0
    exported = []

    def export_graphs(graphs: list[object], folder: Path, *_: object) -> tuple[Path]:
        exported.append(folder)
        return (folder / "policy.onnx",)

    monkeypatch.setattr("oneleap.core.hub.export.export_graphs", export_graphs)
    assert main(["export", "a run", *trusted]) == 0
    assert exported == [Path("a run/model")]
    monkeypatch.syspath_prepend(".")
    with user_packages((), ("mypackage",)):
        assert isinstance(load_pretrained("a run/model"), OFQL)
    policy = Policy.from_pretrained("a run/model", trusted=("mypackage",))
    assert type(policy).__name__ == "MyPolicy"
    again = type(policy).from_pretrained("a run/model")  # its own package needs no trust
    assert type(again) is type(policy)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("evaluate x --import nopackage", "import: no package 'nopackage': install it, or work in"),
        ("evaluate x --trusted nopackage", "trusted: no package 'nopackage'"),
        ("evaluate x --trusted a.b", "trusted: name the whole package: --trusted a"),
        ("fit --import", "import: name a package: --import PACKAGE"),
        ("fit --import --trusted", "import: name a package"),
        ("fit --import=a-b", "import: 'a-b' is not the name of a Python package"),
        ("sing x.mid --import broken", "import: broken needs the module 'module_of_nobody'"),
    ],
)
def test_a_wrong_package_is_one_line(
    line: str, complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("broken.py").write_text("import module_of_nobody\n")
    assert complain(capsys, line).startswith(complaint)


def test_a_file_of_others_never_imports_a_module(capsys: pytest.CaptureFixture[str]) -> None:
    """Neither a saved model nor the configuration of a run runs code that no one has named."""
    Path("evil.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    model = Path("run/model")
    model.mkdir(parents=True)
    for text in (
        '{"class_path": "evil.Model", "init_args": {}}',
        '{"class_path": "oneleap.domains.rl.OFQL", "init_args": '
        '{"spec": {"class_path": "evil.Spec", "init_args": {}}, "objective": null}}',
        '{"class_path": "oneleap.domains.rl.evil.Model", "init_args": {}}',
        '{"class_path": "oneleap.evil.Model", "init_args": {}}',
    ):
        (model / "config.json").write_text(text)
        for command in ("evaluate", "export"):
            assert main([command, "run"]) == 2
            assert capsys.readouterr().err.count("\n") == 1
    ours = "class_path: oneleap.domains.rl.OfflineData"
    for data in ("class_path: evil.Data", f"{ours}, init_args: {{path: a.hdf5, reward: evil.R}}"):
        Path("run/config.yaml").write_text(f"data: {{{data}}}\n")
        with current_folder_importable(), pytest.raises(InputError, match="--trusted evil"):
            load_datamodule(Path("run"))
    assert not Path("ran").exists()
    assert "evil" not in sys.modules
