"""A voice: saving, speaking in pieces and in batches, and the commands with wrong inputs."""

import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_speech import MEL, RATE, acoustic, pitched_acoustic, pitched_vocoder, vocoder

from oneleap.core.errors import InputError, Notice
from oneleap.core.sampling.samplers import FlowMapSampler
from oneleap.core.training.recipe import Recipe
from oneleap.domains.audio.loudness import TARGET_LUFS, level, loudness
from oneleap.domains.audio.vocoders.griffin_lim import GriffinLim
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.audio.wave import read_wave
from oneleap.domains.main import main
from oneleap.domains.speech import About, Delivery, Voice
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
    with pytest.raises(InputError, match=r"missing|damaged"):
        Voice.load(folder)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speed": 0.0}, "speed: must be from 0.1 to 10"),
        ({"steps": 0}, "steps: at least 1"),
        ({"temperature": -1.0}, "temperature: must be from"),
        ({"pitch": 13.0}, "pitch: must be from -12 to 12"),
        ({"pause": -0.1}, "pause: must be from 0 to 60"),
        ({"speaker": "speakr"}, "did you mean 'speaker'"),
    ],
)
def test_wrong_settings_are_rejected(
    settings: dict[str, float | str], message: str, voice: Voice
) -> None:
    with pytest.raises(InputError, match=message):
        voice.speak("tˈɛst", ipa=True, **settings)  # type: ignore[arg-type]


MANNERS = [
    Delivery(energy=6.0),
    Delivery(speed=1.3, temperature=0.5),
    Delivery(expressive=0.0),
    Delivery(pause=0.7),
]


@pytest.mark.parametrize("delivery", MANNERS)
def test_pieces_and_batches_are_the_same_sound_in_each_manner(
    delivery: Delivery, voice: Voice
) -> None:
    whole = voice.speak_all([TEXT], delivery, ipa=True)[0].samples
    pieces = [piece.samples for piece in voice.stream(TEXT, delivery, ipa=True, frames=20)]
    assert np.abs(np.concatenate(pieces) - whole).max() < 1e-4
    named = {name: value for name, value in asdict(delivery).items() if value is not None}
    assert np.array_equal(voice.speak(TEXT, ipa=True, **named).samples, whole)
    plain = voice.speak(TEXT, ipa=True).samples
    heard = delivery.expressive is None or voice.can_change_pitch
    assert heard != (whole.shape == plain.shape and np.allclose(whole, plain, atol=1e-5))


class TestPitch:
    """Voices that can change their pitch, and voices that cannot."""

    high = "<speak><prosody pitch='+2st'>yes</prosody> <emphasis>no</emphasis></speak>"

    def test_the_pitch_of_the_vocoder_is_shifted(self, monkeypatch: pytest.MonkeyPatch) -> None:
        voice = Voice(pitched_acoustic(), pitched_vocoder())
        heard: list[torch.Tensor] = []
        forward = SourceFilterVocoder.forward

        def listen(
            self: SourceFilterVocoder, mel: torch.Tensor, f0: torch.Tensor, *rest: Any
        ) -> Any:
            heard.append(f0[:1, : int((f0[0] >= 0).sum())])
            return forward(self, mel, f0, *rest)

        monkeypatch.setattr(SourceFilterVocoder, "forward", listen)
        for pitch in (0.0, 7.0):
            voice.speak("tˈɛst", ipa=True, pitch=pitch)
        assert heard[0].max() > 0
        torch.testing.assert_close(heard[1], heard[0] * 2 ** (7 / 12))

    def test_ssml_and_the_setting_add_up(self) -> None:
        voice = Voice(pitched_acoustic(), pitched_vocoder())
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            shifted = voice.speak(self.high)
        plain = "<speak><prosody pitch='+0st'>yes</prosody> <emphasis>no</emphasis></speak>"
        assert not np.allclose(shifted.samples, voice.speak(plain).samples, atol=1e-4)
        one = "<speak><prosody pitch='+5st'>yes</prosody></speak>"
        two = "<speak><prosody pitch='+2st'>yes</prosody></speak>"
        np.testing.assert_allclose(
            voice.speak(one).samples, voice.speak(two, pitch=3.0).samples, atol=1e-4
        )

    def test_a_voice_without_pitch_refuses_the_setting_and_leaves_out_ssml(self) -> None:
        for voice in (Voice(acoustic(), vocoder()), Voice(pitched_acoustic(), GriffinLim(MEL))):
            for speak in (
                lambda voice=voice: voice.speak("yes", pitch=1.0),
                lambda voice=voice: list(voice.stream("yes", Delivery(pitch=1.0))),
            ):
                with pytest.raises(InputError, match="pitch: this voice cannot change its pitch"):
                    speak()
        with pytest.warns(Notice, match="cannot change its pitch") as caught:
            Voice(acoustic(), vocoder()).speak(self.high)
        assert len(caught) == 1


def test_a_saved_voice_keeps_what_is_said_about_it(voice: Voice, tmp_path: Path) -> None:
    about = About("nobody", "CC0-1.0", "A test.")
    for bits in (8, 16):
        replace(voice, about=about).save(tmp_path / str(bits), bits=bits)
        again = Voice.load(tmp_path / str(bits))
        assert again.about == about
        again.save(tmp_path / f"{bits}-again", bits=bits)
        files = [p.relative_to(tmp_path / str(bits)) for p in (tmp_path / str(bits)).rglob("*.*")]
        assert len(files) == 6
        for file in files:
            a, b = (tmp_path / name / file for name in (str(bits), f"{bits}-again"))
            assert a.read_bytes() == b.read_bytes()
        assert again.speak(TEXT, ipa=True).seconds > 0.1


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
            (["a", "--ipa", "--energy", "40"], "energy: must be from -12 to 12, not 40"),
            (["a", "--ipa", "--expressive=-1"], "expressive: must be from 0 to 3, not -1"),
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
        about = ["--license", "CC0-1.0", "--description", "nobody", "--sentence", "A test."]
        assert main(["voice", "pack", "A", "V", "mine", *about]) == 0
        assert "MiB" in capsys.readouterr().out
        assert Voice.load("mine").speak("tˈɛst", ipa=True).sample_rate == RATE
        assert Voice.load("mine").about == About("nobody", "CC0-1.0", "A test.")
        assert main(["voice", "pack", "A", "V", "mine"]) == 2
        assert "exists already" in capsys.readouterr().err
        sizes = {"mine": Path("mine/acoustic/model.safetensors").stat().st_size}
        options = {"int8": ["--bits", "8"], "all": ["--bits", "32"], "full": ["--full"]}
        for name, option in options.items():
            assert main(["voice", "pack", "mine", "mine", name, *option]) == 0
            sizes[name] = Path(name, "acoustic/model.safetensors").stat().st_size
            assert Voice.load(name).about.license == "CC0-1.0"
        assert sizes["int8"] < sizes["mine"] < sizes["all"] == sizes["full"]
        assert main(["voice", "pack", "A", "V", "other", "--bits", "4"]) == 2
        assert not Path("other").exists()

    def test_the_former_command_says_what_it_is_now(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["voice", "A b", "V", "mine"]) == 2
        wanted = "oneleap: voice: has subcommands now: oneleap voice pack 'A b' V mine\n"
        assert capsys.readouterr().err == wanted

    def test_controls_change_the_sound(self, folder: Path) -> None:
        argv = ["speak", "tˈɛst. o.", "--ipa", "--voice", str(folder)]
        made = {}
        for option in ("", "--energy 8", "--temperature 0.2", "--pause 1", "--speed 0.2"):
            assert main([*argv, "-o", "a.wav", *option.split()]) == 0
            made[option] = read_wave("a.wav", RATE).samples
        lengths = {option: len(samples) for option, samples in made.items()}
        assert lengths["--pause 1"] == lengths[""] + round(0.8 * RATE)
        assert lengths["--speed 0.2"] > lengths[""]
        for option in ("--energy 8", "--temperature 0.2"):
            assert lengths[option] == lengths[""]
            assert not np.allclose(made[option], made[""], atol=1e-3)


def test_products_of_integers_change_the_sound_a_little(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oneleap.core.nets.int8.SMALLEST", 4)
    exact, quick = (Voice.load(folder, int8=on) for on in (False, True))
    a, b = (voice.acoustic.synthesize([[1, 2, 3, 4]])[0] for voice in (exact, quick))
    assert a.shape == b.shape
    assert 0 < (a - b).square().mean() < 1e-2 * a.square().mean()
    with pytest.raises(InputError, match="int8: a voice with rounded layers only speaks"):
        quick.save(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
