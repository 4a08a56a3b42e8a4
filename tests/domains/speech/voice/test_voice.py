"""A voice: saving, speaking in pieces and in batches, and the commands with wrong inputs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from support.tiny_speech import MEL, RATE, acoustic, pitched_acoustic, pitched_vocoder, vocoder

from oneleap.core.errors import InputError
from oneleap.core.sampling.samplers import FlowMapSampler
from oneleap.core.training.recipe import Recipe
from oneleap.domains.audio.loudness import TARGET_LUFS, level, loudness
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import read_wave
from oneleap.domains.main import main
from oneleap.domains.speech import Voice
from oneleap.domains.speech.text.sentences import PAUSE_S

TEXT = "həlˈoʊ. wˈɜːld! tˈɛst, tˈɛst."


@pytest.fixture(params=["vocos", "source-filter"])
def voice(request: pytest.FixtureRequest) -> Voice:
    if request.param == "vocos":
        return Voice(acoustic(), vocoder())
    return Voice(pitched_acoustic(), pitched_vocoder())


@pytest.fixture
def folder(tmp_path: Path, voice: Voice) -> Path:
    voice.save(tmp_path / "voice", card="# Nobody\n", bits=32)
    return tmp_path / "voice"


def test_pieces_together_are_the_whole_sound(voice: Voice) -> None:
    whole = voice.speak(TEXT, ipa=True)
    pieces = list(voice.stream(TEXT, ipa=True, frames=64))
    assert len(pieces) == 5  # three sentences of one piece each, two pauses
    together = np.concatenate([piece.samples for piece in pieces])
    assert together.shape == whole.samples.shape
    assert np.abs(together - whole.samples).max() < 1e-4
    assert whole.sample_rate == RATE


def test_a_text_gives_the_same_alone_and_in_a_batch(voice: Voice) -> None:
    texts = [TEXT, "tˈɛst", "a. b. c."]
    for text, wave in zip(texts, voice.speak_all(texts, ipa=True, seed=3), strict=True):
        alone = voice.speak(text, ipa=True, seed=3)
        assert np.abs(alone.samples - wave.samples).max() < 1e-4


def test_sentences_are_joined_by_a_pause_and_none_is_lost(voice: Voice) -> None:
    parts = [voice.speak(part, ipa=True).seconds for part in ("həlˈoʊ.", "wˈɜːld!")]
    both = voice.speak("həlˈoʊ. wˈɜːld!", ipa=True)
    assert both.seconds == pytest.approx(sum(parts) + PAUSE_S, abs=1e-3)


def test_a_voice_can_teach(voice: Voice, folder: Path) -> None:
    student = acoustic(spec=voice.acoustic.spec)
    student.recipe = Recipe(teacher=str(folder / "acoustic"))
    teacher = student.load_teacher()
    for name, weight in voice.acoustic.average.state_dict().items():
        assert torch.equal(teacher.average.state_dict()[name], weight)
        assert torch.equal(teacher.net.state_dict()[name], weight)


def test_only_the_seed_changes_the_noise(voice: Voice) -> None:
    a, b, c = (voice.speak("tˈɛst", ipa=True, seed=s).samples for s in (0, 0, 1))
    torch.manual_seed(7)
    assert np.array_equal(a, b)
    assert np.array_equal(a, voice.speak("tˈɛst", ipa=True).samples)
    assert not np.allclose(a, c)


def test_a_saved_voice_gives_the_same_sound(voice: Voice, folder: Path) -> None:
    again = Voice.load(folder)
    a, b = (v.speak(TEXT, ipa=True).samples for v in (voice, again))
    assert np.abs(a - b).max() < 1e-5
    assert (folder / "README.md").read_text() == "# Nobody\n"
    again.save(folder.parent / "half")
    small, large = (
        sum(p.stat().st_size for p in f.rglob("*.safetensors"))
        for f in (folder.parent / "half", folder)
    )
    assert small < 0.8 * large
    half = Voice.load(folder.parent / "half").speak(TEXT, ipa=True).samples
    assert len(half) == len(a)
    assert type(again.vocoder) is type(voice.vocoder)


def test_a_run_speaks_by_griffin_lim(tmp_path: Path) -> None:
    acoustic().save_pretrained(tmp_path / "run" / "model")
    voice = Voice.load(tmp_path / "run")
    assert isinstance(voice.vocoder, GriffinLim)
    assert voice.speak("tˈɛst", ipa=True).seconds > 0.05
    with pytest.raises(InputError, match="saved with a trained vocoder"):
        voice.save(tmp_path / "voice")


def test_models_that_do_not_fit_are_rejected(folder: Path, tmp_path: Path) -> None:
    Vocos(replace(MEL, floor=1e-4), 16, 16, 1).save_pretrained(tmp_path / "other")
    with pytest.raises(InputError, match=r"mel format: voice .* has floor 1e-05, vocoder"):
        Voice.load(folder, vocoder=tmp_path / "other")
    with pytest.raises(InputError, match=r"holds a oneleap.*Vocos, not an acoustic model"):
        Voice.load(tmp_path / "other")
    with pytest.raises(InputError, match="holds a AcousticModel, not a vocoder"):
        Voice.load(folder, vocoder=folder / "acoustic")
    with pytest.raises(InputError, match="no such folder; griffin-lim needs none"):
        Voice.load(folder, vocoder=tmp_path / "none")
    with pytest.raises(InputError, match=r"voice: no 'nobody'"):
        Voice.load("nobody")


def test_a_damaged_voice_is_rejected(folder: Path) -> None:
    (folder / "acoustic" / "model.safetensors").write_bytes(b"none")
    with pytest.raises(InputError, match="missing or damaged"):
        Voice.load(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speed": 0.0}, "speed: must be from 0.1 to 10"),
        ({"steps": 0}, "steps: at least 1"),
        ({"temperature": -1.0}, "temperature: must be from"),
        ({"speaker": "speakr"}, "did you mean 'speaker'"),
    ],
)
def test_wrong_settings_are_rejected(
    settings: dict[str, float | str], message: str, voice: Voice
) -> None:
    with pytest.raises(InputError, match=message):
        voice.speak("tˈɛst", ipa=True, **settings)  # type: ignore[arg-type]


class TestCommand:
    """``oneleap speak`` and ``oneleap voice``."""

    @pytest.fixture(autouse=True)
    def _here(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        pytest.importorskip("soundfile")
        monkeypatch.chdir(tmp_path)

    def test_it_writes_a_sound(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        argv = ["speak", "tˈɛst", "--ipa", "--voice", str(folder)]
        assert main([*argv, "-o", "a.wav", "--seed", "2", "--steps", "2"]) == 0
        assert "a.wav: " in capsys.readouterr().err
        want = level(Voice.load(folder).speak("tˈɛst", ipa=True, seed=2, steps=2))
        assert np.abs(read_wave("a.wav", RATE).samples - want.samples.clip(-1, 1)).max() < 1e-4
        assert main(argv) == 0
        assert Path("speech.wav").is_file()

    def test_a_folder_of_texts_becomes_a_folder_of_sounds(self, folder: Path) -> None:
        Path("texts").mkdir()
        for name in ("a", "b"):
            Path(f"texts/{name}.txt").write_text("tˈɛst. o.", encoding="utf-8")
        argv = ["speak", "-f", "texts", "--ipa", "--voice", str(folder)]
        assert main([*argv, "-o", "out"]) == 0
        assert sorted(path.name for path in Path("out").iterdir()) == ["a.wav", "b.wav"]
        assert main([*argv, "-o", "out.wav"]) == 2

    def test_a_bad_text_does_not_stop_a_folder(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("texts").mkdir()
        for name, text in (("a", "tˈɛst."), ("b", "?!"), ("c", " "), ("d", "o.")):
            Path(f"texts/{name}.txt").write_text(text, encoding="utf-8")
        argv = ["speak", "-f", "texts", "--ipa", "--voice", str(folder)]
        assert main([*argv, "-o", "out"]) == 2
        assert sorted(path.name for path in Path("out").iterdir()) == ["a.wav", "d.wav"]
        said = capsys.readouterr().err
        assert "b.txt: nothing to say: there is no word in '?!'" in said
        assert "(and 1 more texts were not spoken)" in said

    def test_speech_has_one_loudness_and_goes_into_pipes(
        self, folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
    ) -> None:
        argv = ["speak", "tˈɛst o tˈɛst. o.", "--ipa", "--voice", str(folder)]
        assert main([*argv, "-o", "a.wav"]) == 0
        capfdbinary.readouterr()
        assert main([*argv, "-o", "-"]) == 0
        assert capfdbinary.readouterr().out == Path("a.wav").read_bytes()
        assert loudness(read_wave("a.wav", RATE)) <= TARGET_LUFS + 0.1

    @pytest.mark.parametrize(
        ("argv", "message"),
        [
            ([], "nothing to say: give a text or -f FILE"),
            (["a", "-f", "b"], "give a text or -f FILE, not both"),
            (["", "--ipa"], "nothing to say: give a text or -f FILE"),
            (["?!", "--ipa"], "there is no word in '?!'"),
            (["ж", "--ipa"], "is no symbol of this model"),
            (["-f", "none.txt"], "none.txt cannot be read"),
            (["-f", "empty.txt"], "empty.txt: nothing to say: it is empty"),
            (["a", "--ipa", "-o", "a.xyz"], "unknown sound format '.xyz'"),
            (["a", "--ipa", "--steps", "x"], "steps: expected int"),
            (["a", "--ipa", "--stepz", "1"], "no option 'stepz'"),
            (["a", "--ipa", "--lexicon", "none"], "lexicon: none cannot be read"),
        ],
    )
    def test_wrong_input_is_rejected_in_one_line_and_nothing_is_written(
        self, argv: list[str], message: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        Path("empty.txt").write_text(" \n")
        before = set(Path.cwd().rglob("*"))
        assert main(["speak", *argv, "--voice", str(folder)]) == 2
        error = capsys.readouterr().err
        assert message in error
        assert error.count("\n") == 1
        assert set(Path.cwd().rglob("*")) == before

    def test_no_voice_ships_by_that_name(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["speak", "a", "--voice", "nobody"]) == 2
        assert "voice: no 'nobody'" in capsys.readouterr().err

    def test_two_models_become_a_voice(self, capsys: pytest.CaptureFixture[str]) -> None:
        acoustic(sampler=FlowMapSampler(1)).save_pretrained("A/model")
        vocoder().save_pretrained("V/model")
        assert main(["voice", "pack", "A", "V", "mine"]) == 0
        assert "MiB" in capsys.readouterr().out
        assert Voice.load("mine").speak("tˈɛst", ipa=True).sample_rate == RATE
        assert main(["voice", "pack", "A", "V", "mine"]) == 2
        assert "exists already" in capsys.readouterr().err
