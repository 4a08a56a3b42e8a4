"""What a model sounds like: a sentence, a song, a piece of music."""

from pathlib import Path

from oneleap.core.errors import InputError
from oneleap.core.report import Part, Section, Text
from oneleap.domains.report.sections import Reported, class_of

SENTENCE = "One call of a network turns noise into this sentence."
"""What a voice says that has no sample sentence; it is English."""

BASE_STEPS = 50
"""Network calls of a music model that is heard without a student."""

SCORES = {"ja": "sakura.musicxml", "en": "twinkle.musicxml"}
"""What a singer of each language sings."""

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
"""Folder of these scores; it lies in a clone and not in an installed package."""


def sounds(found: Reported, text: str | None, score: Path | None, seed: int) -> list[Section]:
    """Let a model of speech, song or music be heard.

    Args:
        found: The model and its run.
        text: What a voice says; by default its sample sentence.
        score: What a singer sings; by default a folk song in its language.
        seed: Seed of the noise.

    Returns:
        A section with the sound and its spectrogram, or with the reason why there is none. Of
        other models, nothing.
    """
    domain = class_of(found).removeprefix("oneleap.domains.").partition(".")[0]
    home = found.home
    try:
        if domain == "speech":
            return [Section("A sentence", voice(home, text, seed))]
        if domain == "singing":
            return [Section("A song", song(home, score, seed))]
        if domain == "music":
            return [Section("A piece of music", music(home, seed))]
    except InputError as error:
        return [Section("Sound", [Text(f"There is none: {error}.")])]
    return []


def voice(home: Path, text: str | None, seed: int) -> list[Part]:
    """Let a voice speak.

    Args:
        home: Folder of a run or of a voice.
        text: What it says; by default its sample sentence.
        seed: Seed of the noise.

    Raises:
        InputError: If it cannot.
    """
    from oneleap.domains.audio.evaluation.media import picture, player
    from oneleap.domains.audio.loudness import level
    from oneleap.domains.speech.voice.voice import Voice

    loaded = Voice.load(home)
    language = loaded.acoustic.spec.language
    said = text or loaded.about.sentence or (SENTENCE if language.startswith("en") else "")
    if not said:
        raise InputError(f"the language is {language}: name a sentence with --text")
    wave = level(loaded.speak(said, seed=seed))
    kind = type(loaded.vocoder).__name__
    about = f"{wave.seconds:.1f} s of speech; the vocoder is {kind}."
    return [Text(about), player(f"“{said}”", wave), picture(wave, loaded.acoustic.spec.mel)]


def song(home: Path, score: Path | None, seed: int) -> list[Part]:
    """Let a singer sing.

    Args:
        home: Folder of a singer.
        score: What is sung; by default a folk song in its language.
        seed: Seed of the noise.

    Raises:
        InputError: If it cannot: one model alone cannot sing.
    """
    from oneleap.domains.audio.evaluation.media import picture, player
    from oneleap.domains.audio.loudness import level
    from oneleap.domains.singing.voice.language import language_of, read_song
    from oneleap.domains.singing.voice.loading import ACOUSTIC
    from oneleap.domains.singing.voice.singer import Singer

    if not (home / ACOUSTIC).is_dir():
        raise InputError("one model alone cannot sing: pack all four with oneleap singer")
    if score is None:
        score = EXAMPLES / SCORES.get(language_of(home), "none")
        if not score.is_file():
            raise InputError("no score to sing comes with this installation: name one with --score")
    singer = Singer.load(home)
    wave = level(singer.sing(read_song(score, str(home)).segments, seed=seed))
    about = f"{wave.seconds:.1f} s of song."
    return [Text(about), player(score.name, wave), picture(wave, singer.acoustic.spec.mel)]


def music(home: Path, seed: int) -> list[Part]:
    """Let a composer play without control.

    Args:
        home: Folder of a composer or of a run.
        seed: Seed of the noise.

    Raises:
        InputError: If it cannot.
    """
    import torch

    from oneleap.core.sampling.ode import sample
    from oneleap.core.training.seed import step_generator
    from oneleap.domains.audio.evaluation.media import picture, player
    from oneleap.domains.audio.wave import Wave
    from oneleap.domains.music.composer.composer import Composer

    composer = Composer.load(home)
    with torch.inference_mode():
        noise = composer.noise(1, 6.0, step_generator(seed, 0))
        if composer.student is None:
            mel = composer.denormalize(sample(composer.field(), noise, steps=BASE_STEPS))
        else:
            mel = composer.decode(noise)
        samples = composer.vocode(mel)[0].cpu().numpy()
    wave = Wave(samples.clip(-1, 1), composer.spec.mel.sample_rate)
    calls = BASE_STEPS if composer.student is None else 1
    about = f"{wave.seconds:.1f} s of music without control; network calls: {calls}."
    return [Text(about), player("music", wave), picture(wave, composer.spec.mel)]
