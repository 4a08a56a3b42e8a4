"""The front end of a voice, and what ``oneleap speak --show`` prints."""

import json
from pathlib import Path

import pytest

from oneleap.core.errors import InputError
from oneleap.domains.main import main
from oneleap.domains.speech.text.symbols import KOKORO_SYMBOLS
from oneleap.domains.speech.text.voices import load_front_end, show_text


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    """The configuration of a British voice without weights."""
    arguments = {"language": "en-gb", "symbols": KOKORO_SYMBOLS, "phonemizer": "english"}
    config = {"init_args": {"spec": {"init_args": arguments}}}
    (tmp_path / "voice" / "acoustic").mkdir(parents=True)
    path = tmp_path / "voice" / "acoustic" / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    return tmp_path / "voice"


def test_a_voice_names_its_phonemizer(voice: Path) -> None:
    front_end = load_front_end(voice)
    assert (front_end.language, front_end.converts_by) == ("en-gb", "english")
    assert front_end.alphabet == KOKORO_SYMBOLS
    assert load_front_end("heart").converts_by == "english"
    with pytest.raises(InputError, match="voice: no 'hart'; did you mean 'heart'"):
        load_front_end("hart")


@pytest.mark.parametrize("text", ['{"init_args": {}}', "no json", '{"init_args": {"spec": 1}}'])
def test_a_wrong_configuration_is_named(text: str, voice: Path) -> None:
    (voice / "acoustic" / "config.json").write_text(text)
    with pytest.raises(InputError, match="is not the configuration of an acoustic model"):
        load_front_end(voice)


def test_ssml_is_shown_without_its_marks(voice: Path) -> None:
    text = "<speak>I have <break/> <sub alias='two'>2</sub> <phoneme ph='bɑːθs'>x</phoneme></speak>"
    assert show_text(load_front_end(voice), text) == ("I have two [[bɑːθs]]", "ˌI hˈav tˈuː bɑːθs")


def test_show_prints_two_lines_and_speaks_nothing(
    voice: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(voice.parent)
    assert main(["speak", "--show", "World War II,\nNo. 5.\n\nYes.", "--voice", str(voice)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["World War two, Number five. Yes.", "wˈɜːld wˈɔː tˈuː, nˈʌmbə fˈIv. jˈɛs."]
    assert list(voice.parent.iterdir()) == [voice]
    assert main(["speak", "--show", "?!", "--voice", str(voice)]) == 2
    assert "nothing to say" in capsys.readouterr().err
