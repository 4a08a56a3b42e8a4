from pathlib import Path

import numpy as np
import pytest
import torch
from support import tiny_music
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.domains.main import main
from oneleap.domains.music.composer.composer import Composer
from oneleap.domains.music.composer.outpainting import grow, measure_seams
from oneleap.domains.music.composer.request import Wishes, window
from oneleap.domains.music.composer.session import Session
from oneleap.domains.music.composer.splicing import fades, patched, spliced, wrapped
from oneleap.domains.music.composer.steering import Settings, search_steps, steer
from oneleap.domains.music.controls.base import Intensity, Melody
from oneleap.domains.music.controls.targets import preset

soundfile = pytest.importorskip("soundfile")
mido = pytest.importorskip("mido")

RATE, MEL = tiny_music.RATE, tiny_music.MEL
QUICK = Settings(steps=3, decode_steps=(1, 2))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("composers") / "tiny"
    tiny_music.composer().save(path)
    return path


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.wav"
    soundfile.write(path, tiny_music.chord(2.0, 220.0), RATE)
    return path


@pytest.fixture
def tune(tmp_path: Path) -> Path:
    """One second, two notes."""
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    for note in (69, 72):
        track.append(mido.Message("note_on", note=note, velocity=90))
        track.append(mido.Message("note_off", note=note, time=480))
    file.tracks.append(track)
    file.save(tmp_path / "tune.mid")
    return tmp_path / "tune.mid"


def write_note(path: Path, seconds: float) -> None:
    """One note, at 120 beats a minute."""
    file, track = mido.MidiFile(ticks_per_beat=480), mido.MidiTrack()
    track.append(mido.Message("note_on", note=69, velocity=90))
    track.append(mido.Message("note_off", note=69, time=round(960 * seconds)))
    file.tracks.append(track)
    file.save(path)


def make(seed: int = 0, settings: Settings = QUICK, **wishes: object) -> tuple[np.ndarray, Session]:
    session = Session(tiny_music.composer(), Wishes(**wishes), settings, seed=seed)  # type: ignore[arg-type]
    return session.make().wave.samples, session


def test_melody_and_structure_are_looked_for_longer() -> None:
    assert search_steps() == search_steps("intensity", "inpaint") == 70
    assert search_steps("melody") == search_steps("intensity", "structure") == 150


@pytest.mark.parametrize("method", ["ditto2", "ditto"])
def test_steering_lowers_the_loss(method: str) -> None:
    composer = tiny_music.composer()
    noise = composer.noise(2, 1.0, torch.Generator().manual_seed(0))
    control = Intensity(MEL, preset("rise", noise.shape[2], -60.0, -20.0), window_s=0.2)
    settings = Settings(method=method, steps=15, sampler_steps=4)  # type: ignore[arg-type]
    found = steer(composer, [control], noise, settings, tags=("calm",))
    first, last = found.search.history["intensity"][[0, -1]]
    assert (last < first).all()
    torch.testing.assert_close(found.metrics["intensity"], control.metric(found.mel))
    if method == "ditto":
        again = composer.features(noise)  # the noise itself is not the music
        assert not torch.equal(found.mel, again)


def test_one_decoding_step_is_what_was_optimised() -> None:
    composer = tiny_music.composer()
    noise = composer.noise(1, 1.0, torch.Generator().manual_seed(0))
    control = Intensity(MEL, preset("rise", noise.shape[2]), window_s=0.2)
    found = steer(composer, [control], noise, Settings(steps=2, decode_steps=(1,)))
    assert torch.equal(found.mel, found.search.mel)
    assert torch.equal(found.mel, composer.decode(found.search.noise))


def test_the_same_seed_is_the_same_piece() -> None:
    a, b, c = (make(seed, intensity="rise", seconds=1.0)[0] for seed in (0, 0, 1))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)
    assert len(a) == round(1.0 * MEL.frame_rate) * MEL.hop


def test_a_piece_of_which_nothing_is_asked() -> None:
    samples, _ = make(seconds=1.0)
    assert np.abs(samples).max() > 0
    assert len(make(seconds=1.0, settings=Settings("ditto", sampler_steps=2))[0]) == len(samples)


def test_inpainting_leaves_the_rest_alone(song: Path) -> None:
    given = soundfile.read(song, dtype="float32")[0]
    samples, _ = make(inpaint=song, gap=(0.9, 1.2))
    assert len(samples) == len(given)
    fade = 5 * MEL.hop
    first, last = round(0.9 * RATE) - fade, round(1.2 * RATE) + fade
    np.testing.assert_array_equal(samples[:first], given[:first])
    np.testing.assert_array_equal(samples[last:], given[last:])
    inside = slice(first + 2 * fade, last - 2 * fade)
    assert np.abs(samples[inside] - given[inside]).max() > 1e-3


def test_wishes_for_a_gap_are_of_the_whole_recording(tmp_path: Path) -> None:
    """Far into a long recording, a melody that is over by then asks for nothing."""
    path, tune = tmp_path / "long.wav", tmp_path / "tune.mid"
    soundfile.write(path, tiny_music.chord(12.0, 220.0), RATE)
    for length, asked in ((1.0, False), (12.0, True)):
        write_note(tune, length)
        session = Session(
            tiny_music.composer(), Wishes(inpaint=path, gap=(10.0, 10.3), melody=tune), QUICK
        )
        found = session.make().controls
        assert any(isinstance(control, Melody) for control in found) == asked


def test_outpainting_goes_on(song: Path) -> None:
    given = soundfile.read(song, dtype="float32")[0]
    samples, session = make(outpaint=song, seconds=4.0)
    assert len(samples) == round(4.0 * MEL.frame_rate) * MEL.hop
    kept = len(given) - session.overlap * MEL.hop
    np.testing.assert_array_equal(samples[:kept], given[:kept])


def test_a_loop_has_the_length_that_was_asked_for() -> None:
    samples, _ = make(loop=True, seconds=1.5)
    assert len(samples) == round(1.5 * MEL.frame_rate) * MEL.hop


def test_a_long_piece_is_sewn_of_clips() -> None:
    session = Session(
        tiny_music.composer(), Wishes(seconds=2.5, intensity="rise"), QUICK, tags=("fast",)
    )
    session.overlap = 8
    piece = session.make()
    assert piece.mel.shape[2] == round(2.5 * MEL.frame_rate)
    assert len(piece.parts) > 2
    assert piece.seams is not None
    assert all(set(part.metrics) >= {"outpaint"} for part in piece.parts[1:])


def test_wishes_for_a_long_piece_are_cut_into_clips(tune: Path) -> None:
    wishes = Wishes(seconds=3.0, intensity="rise", melody=tune)
    session = Session(tiny_music.composer(), wishes, QUICK)
    frames = round(3.0 * MEL.frame_rate)
    asked = session.asked(frames)
    whole = asked[0].control
    assert isinstance(whole, Intensity)
    (first, _), (melody, _) = window(asked, 0, 32)
    assert isinstance(first, Intensity)
    assert isinstance(melody, Melody)
    assert torch.equal(first.target, whole.target[:32])
    (late,) = window(asked, frames - 10, frames + 22)  # the melody is over
    assert isinstance(late.control, Intensity)
    assert torch.equal(late.control.target[:10], whole.target[-10:])
    assert (late.control.target[10:] == whole.target[-1]).all()


def test_growing_keeps_the_beginning() -> None:
    composer = tiny_music.composer()
    g = torch.Generator().manual_seed(0)
    start = composer.decode(composer.noise(1, 0.5, g))
    grown = grow(composer, start, 70, clip=32, overlap=6, settings=QUICK, generator=g)
    assert grown.mel.shape[2] == 70
    n = start.shape[2]
    assert torch.equal(grown.mel[..., : n - 12], start[..., : n - 12])
    first, last = grown.seams[0]
    assert n - 12 <= first <= n - 6
    assert last == n
    for part in grown.parts:
        assert set(part.metrics) == {"outpaint", "seam"}
    with pytest.raises(InputError, match="overlap"):
        grow(composer, start, 70, clip=6, overlap=6)


def test_a_clip_begins_where_little_changes() -> None:
    """On a level but for one moment of rest, five to ten frames before the end."""
    composer = tiny_music.composer()
    g = torch.Generator().manual_seed(0)
    start = torch.randn(1, MEL.n_mels, 60, generator=g)
    start[..., 49:55] = start[..., 49:50]
    grown = grow(composer, start, 70, clip=32, overlap=6, settings=QUICK, generator=g)
    assert grown.seams[0][0] in (51, 52)


def test_a_cut_is_audible_and_its_absence_is_not() -> None:
    g = torch.Generator().manual_seed(0)
    mel = 0.05 * torch.randn(1, MEL.n_mels, 200, generator=g)
    mel[..., 100:] += 3
    found = measure_seams(mel, [(40, 50), (95, 101)], MEL)
    assert found.audible == (1,)
    assert found.flux[1] > 3 * found.limit


# Samples


def test_fades_keep_the_power() -> None:
    down, up = fades(100)
    np.testing.assert_allclose(down**2 + up**2, 1, atol=1e-6)
    assert down[0] > 0.99 > 0.02 > up[0]


def test_splicing_and_patching() -> None:
    before, whole = np.ones(100, np.float32), np.full(150, 2, np.float32)
    found = spliced(before, whole, 20)
    assert len(found) == 150
    assert (found[:80] == 1).all()
    assert (found[100:] == 2).all()
    with pytest.raises(InputError):
        spliced(whole, before, 20)
    kept = patched(whole, np.zeros(60, np.float32), 50, (70, 90), rate=10)
    assert (kept[70:90] == 0).all()
    assert (kept[:60] == 2).all()
    assert (kept[100:] == 2).all()
    assert (np.diff(kept[59:71]) <= 0).all()


def test_a_loop_is_heard_with_its_other_end_around_it() -> None:
    shown = list[Tensor]()

    def vocode(mel: Tensor) -> Tensor:
        shown.append(mel)
        return mel.mean(1).repeat_interleave(MEL.hop, 1)

    mel = torch.arange(70.0).reshape(1, 1, 70)
    samples = wrapped(vocode, mel, MEL)
    assert samples[:: MEL.hop].tolist() == list(range(70))
    assert shown[0][0, 0, :65].tolist() == [*range(6, 70), 0]


# The command


def run(*words: str) -> int:
    return main(["compose", *words])


def test_the_command_writes_a_sound_and_a_picture(
    folder: Path, song: Path, tune: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.wav"
    words = ["--model", str(folder), "--seconds", "1", "--steps", "2", "-o", str(out)]
    words += ["--intensity", "rise", "--melody", str(tune), "--timbre", str(song)]
    assert run(*words, "--tags", "calm", "--weight", "melody=2", "--decode", "1") == 0
    assert soundfile.info(out).samplerate == RATE
    assert out.with_suffix(".png").stat().st_size > 1000
    told = capsys.readouterr().err
    for name in ("intensity", "melody", "timbre", "1 decoding steps", "s of music"):
        assert name in told


@pytest.mark.parametrize(
    "words",
    [
        ["--seconds", "0.7", "--loop", "--structure", "AB"],
        ["--inpaint", "song.wav", "--from", "0.9", "--to", "1.2"],
        ["--outpaint", "song.wav", "--seconds", "3"],
        ["--seconds", "3"],
    ],
    ids=["loop", "inpaint", "outpaint", "long"],
)
def test_every_kind_of_piece_has_its_picture(
    words: list[str], folder: Path, song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["--intensity", "hill", "--weight", "intensity=2", "--steps", "1", "-o", "out.wav"]
    assert run("--model", str(folder), *words, *asked) == 0
    assert Path("out.png").stat().st_size > 1000


MISTAKES = {
    "model": (["--model", "nowhere"], "no 'nowhere'"),
    "format": (["-o", "out.txt"], "name the sound .wav"),
    "gap": (["--inpaint", "song.wav"], "--from 2 --to 4"),
    "gap of nothing": (["--from", "1", "--to", "2"], "--from 2 --to 4"),
    "two": (["--loop", "--outpaint", "song.wav"], "one at a time"),
    "tagger": (["--hear", "piano"], "--hear piano --tagger FILE"),
    "nothing to hear": (["--tagger", "none.npz"], "--hear piano --tagger FILE"),
    "no weights": (["--hear", "piano", "--tagger", "none.npz"], "none.npz: no such file"),
    "words": (["--words", "calm piano"], "name a --clap"),
    "weight": (["--weight", "melody"], "NAME=NUMBER"),
    "weight of what": (["--weight", "melodie=2"], "did you mean 'melody'"),
    "weight of nothing": (["--weight", "melody=2"], "melody is not asked for"),
    "seed": (["--seed", "-1"], "seed from 0"),
    "decode": (["--decode", "0"], "decode from 1"),
    "a gap and a length": (
        ["--inpaint", "song.wav", "--from", "1", "--to", "1.5", "--seconds", "3"],
        "keeps its length",
    ),
    "no level": (["--intensity", "rise", "--loud-db", "nan"], "is below loud_db"),
    "method": (["--method", "magic"], "ditto2 or ditto"),
    "tags": (["--tags", "clam"], "did you mean 'calm'"),
    "levels": (["--quiet-db", "-10", "--loud-db", "-20"], "is below loud_db"),
    "seconds": (["--seconds", "0.1"], "from 0.5 to 3600"),
    "no seconds": (["--outpaint", "song.wav", "--seconds", "nan"], "from 0.5 to 3600"),
    "decode of ditto": (["--method", "ditto", "--decode", "2"], "its sampler's own steps"),
    "option": (["--volume", "3"], "--volume"),
    "structure": (["--structure", "A", "--seconds", "0.6"], "2 to 8 letters"),
    "long structure": (["--structure", "AB", "--seconds", "9"], "of pieces up to"),
    "outside": (["--inpaint", "song.wav", "--from", "1", "--to", "9"], "lasts 2.0 s"),
    "whole": (["--inpaint", "song.wav", "--from", "0.1", "--to", "1.9"], "can be filled"),
    "shorter": (["--outpaint", "song.wav", "--seconds", "1"], "lasts 2.0 s already"),
    "missing": (["--outpaint", "none.wav"], "none.wav: no such file"),
    "melody": (["--melody", "tune.mid", "--seconds", "0.6"], "--seconds 1"),
}


@pytest.mark.parametrize("kind", MISTAKES)
def test_mistakes_are_one_line(
    kind: str,
    folder: Path,
    song: Path,
    tune: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    words, told = MISTAKES[kind]
    model = [] if "--model" in words else ["--model", str(folder)]
    assert run(*model, "--steps", "1", *words) == 2
    error = capsys.readouterr().err.strip()
    assert told in error
    assert "\n" not in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["song.wav", "tune.mid"]


def test_nothing_listens_to_griffin_lim() -> None:
    mute = Composer.of(tiny_music.model(), tiny_music.model(seed=4))
    for wishes in (Wishes(hear=("piano",), tagger=Path("x")), Wishes(words="calm", clap="x")):
        with pytest.raises(InputError, match="no gradient comes through Griffin-Lim"):
            Session(mute, wishes)


def test_an_end_of_silence_is_told(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "fades.wav"
    wave = np.concatenate([tiny_music.chord(1.0, 220.0), np.zeros(2 * RATE, np.float32)])
    soundfile.write(path, wave, RATE)
    with pytest.raises(InputError, match=r"the end of .* is silent"):
        make(outpaint=path, seconds=9.0)
