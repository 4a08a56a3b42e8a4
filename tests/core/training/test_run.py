"""What a path on the command line stands for: a run, a model, several packed models."""

import json
from pathlib import Path

import pytest

from oneleap.core.errors import InputError
from oneleap.core.training.run import (
    CONFIG,
    LAST,
    ModelPath,
    claimed_folder,
    find_model,
    newest_run,
    read_run_config,
)


def touched(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_a_run_its_model_and_a_model_alone_are_told_apart(tmp_path: Path) -> None:
    run, alone = tmp_path / "run", tmp_path / "alone"
    touched(run / "config.yaml", run / "model" / "config.json", alone / "config.json")
    expected = ModelPath(run / "model", run)
    assert find_model(run) == expected
    assert find_model(run / "model") == expected
    assert find_model(alone) == ModelPath(alone, None)
    assert expected.home == run
    assert find_model(alone).home == alone


def test_a_packed_folder_holds_several_models(tmp_path: Path) -> None:
    touched(tmp_path / "vocoder" / "config.json", tmp_path / "acoustic" / "config.json")
    assert find_model(tmp_path) == ModelPath(tmp_path / "acoustic", None)
    assert find_model(tmp_path, "vocoder") == ModelPath(tmp_path / "vocoder", None)


def test_what_holds_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere: no such folder; runs lie in runs/CONFIG/TIME"):
        find_model(tmp_path / "nowhere")
    with pytest.raises(InputError, match=r"holds no model: config.json is missing"):
        find_model(tmp_path)
    touched(tmp_path / CONFIG)
    with pytest.raises(InputError, match=r"stopped before its first checkpoint; start it again"):
        find_model(tmp_path)
    touched(tmp_path / LAST)
    with pytest.raises(InputError, match=r"has no model yet: finish it .* --ckpt_path last"):
        find_model(tmp_path)


def test_evaluations_are_written_to_the_run_and_elsewhere(tmp_path: Path) -> None:
    touched(tmp_path / "config.yaml", tmp_path / "model" / "config.json")
    also = tmp_path / "figures.json"
    path = find_model(tmp_path / "model").write_evaluation({"score": 1.5}, also)
    assert path == tmp_path / "evaluation.json"
    assert json.loads(path.read_text()) == json.loads(also.read_text()) == {"score": 1.5}


def test_the_newest_run_is_the_last_by_name_that_can_resume(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to resume"):
        newest_run(tmp_path)
    touched(tmp_path / "1" / LAST, tmp_path / "2" / LAST, tmp_path / "3" / "config.yaml")
    assert newest_run(tmp_path) == tmp_path / "2"


def test_a_taken_folder_gets_a_number(tmp_path: Path) -> None:
    with claimed_folder(tmp_path / "a", fresh=True) as first:
        assert first == tmp_path / "a"
        (tmp_path / "a-2").mkdir()
        with claimed_folder(tmp_path / "a", fresh=True) as second:
            assert second == tmp_path / "a-3"


def test_folders_that_stay_empty_are_removed(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    for path in (tmp_path / "own", tmp_path / "x" / "y" / "z"):
        for fresh in (False, True):
            with claimed_folder(path, fresh=fresh):
                pass
    assert list(tmp_path.iterdir()) == [tmp_path / "own"]
    with claimed_folder(tmp_path / "x" / "y", fresh=True) as folder:
        touched(folder / "kept")
    assert (tmp_path / "x" / "y" / "kept").is_file()


def test_a_folder_is_held_until_the_block_ends(tmp_path: Path) -> None:
    with (
        claimed_folder(tmp_path / "a"),
        pytest.raises(InputError, match=r"a is in use by another process: wait for its end"),
        claimed_folder(tmp_path / "a"),
    ):
        pass
    with claimed_folder(tmp_path / "a") as again:
        assert again == tmp_path / "a"


def test_a_run_configuration_has_current_names(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.yaml: no such file"):
        read_run_config(tmp_path)
    file = tmp_path / "config.yaml"
    file.write_text("model: {class_path: oneleap.core.samplers.Leap, init_args: {steps: 3}}")
    assert read_run_config(tmp_path) == {
        "model": {"class_path": "oneleap.core.FlowMapSampler", "init_args": {"steps": 3}}
    }
    for text in ("- a list", "a: [", "\xff"):
        file.write_bytes(text.encode("latin-1"))
        with pytest.raises(InputError, match="not a configuration in YAML"):
            read_run_config(tmp_path)
