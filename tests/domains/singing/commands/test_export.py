"""``oneleap export`` of a singer, and of an acoustic model alone."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from support.scores.openutau import check_dictionary, check_singer
from support.tiny_singing import SPEC, acoustic, curves, durations, vocoder

from oneleap.core.sampling.samplers import FlowMapSampler
from oneleap.domains.main import main
from oneleap.domains.singing import Singer
from oneleap.domains.singing.openvpi import openutau
from oneleap.domains.singing.openvpi.dsconfig import configuration_files
from oneleap.domains.singing.openvpi.singer_graphs import TOLERANCE, singer_graphs
from oneleap.domains.singing.voice.loading import find_singer, shipped_singers


def singer() -> Singer:
    model = acoustic(depth=0.6, sampler=FlowMapSampler(1, 0.6))
    return Singer(model, durations(), curves(), vocoder())


@pytest.mark.slow
def test_a_singer_is_written_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(name)
    monkeypatch.chdir(tmp_path)
    singer().save("mine")
    code = "from oneleap.domains.main import main; raise SystemExit(main())"  # without shape checks
    words = [sys.executable, "-c", code, "export", "mine/acoustic", "--out", "ds"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    gaps = [float(line.rpartition(" ")[2]) for line in done.stdout.splitlines()]
    assert len(gaps) == 6
    assert max(gaps) < TOLERANCE
    written = {str(p.relative_to("ds")) for p in Path("ds").rglob("*") if p.is_file()}
    graphs_ = {g.path for g in singer_graphs(singer(), "mine")}
    more = {"phonemes.json", "character.txt", "character.yaml", *openutau.DICTIONARIES}
    assert written == graphs_ | set(configuration_files(singer(), "mine")) | more
    check_singer(Path("ds"))
    numbers = json.loads(Path("ds/phonemes.json").read_text())
    assert [numbers[p] for p in SPEC.phonemes] == [1, 2, 3, 4, 5, 6, 7]
    assert yaml.safe_load(Path("ds/dsconfig.yaml").read_text())["acoustic"] == "mine.onnx"


@pytest.mark.slow
@pytest.mark.parametrize("name", shipped_singers())
def test_singers_that_ship_are_exported(name: str, tmp_path: Path) -> None:
    for package in ("onnx", "onnxruntime", "onnxscript"):
        pytest.importorskip(package)
    code = "from oneleap.domains.main import main; raise SystemExit(main())"  # without shape checks
    words = [sys.executable, "-c", code, "export", str(find_singer(name)), "--out", str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert max(float(line.rpartition(" ")[2]) for line in done.stdout.splitlines()) < TOLERANCE
    own = Singer.load(name)
    for room, model in (("dsdur", own.durations), ("dspitch", own.pitch)):
        config = yaml.safe_load((tmp_path / room / "dsconfig.yaml").read_text())
        tokens = json.loads((tmp_path / room / config["phonemes"]).read_text(encoding="utf-8"))
        assert tokens == {"<PAD>": 0} | model.spec.tokens
        text = (tmp_path / room / "dsdict.yaml").read_text(encoding="utf-8")
        check_dictionary(yaml.safe_load(text), tokens)


def test_durations_with_more_phonemes_have_a_table_of_their_own() -> None:
    plain = singer()
    assert configuration_files(plain, "x")["dsdur/dsconfig.yaml"]["phonemes"] == "../phonemes.json"
    finer = durations()
    finer.spec = replace(SPEC, phonemes=(*SPEC.phonemes, f"{SPEC.phonemes[-1]}_e"))
    both = Singer.from_parts(plain.acoustic, finer, plain.pitch, plain.vocoder)
    files = configuration_files(both, "x")
    assert files["dsdur/dsconfig.yaml"]["phonemes"] == "phonemes.json"
    assert files["dspitch/dsconfig.yaml"]["phonemes"] == "../phonemes.json"


def test_an_acoustic_model_alone_is_no_singer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    acoustic().save_pretrained(tmp_path / "run" / "model")
    assert main(["export", str(tmp_path / "run")]) == 2
    assert "pack them with oneleap singer" in capsys.readouterr().err
