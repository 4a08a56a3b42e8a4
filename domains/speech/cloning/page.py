"""The page of a clone: recordings it has not learnt from, and both voices with the same texts."""

from pathlib import Path

import numpy as np

from oneleap.core.report import Media, Part, Section, Table, Text, write_page
from oneleap.domains.audio.evaluation.plots import plot_spectrograms
from oneleap.domains.audio.loudness import level
from oneleap.domains.audio.wave import wav_bytes
from oneleap.domains.speech.evaluation.held_out import HeldOut
from oneleap.domains.speech.voice.voice import Voice

SHOWN = 3
"""Number of sentences on the page."""


def write_clone_page(
    path: Path, before: Voice, after: Voice, held_out: HeldOut, about: list[tuple[str, str]]
) -> None:
    """Write the page.

    Args:
        path: File to write.
        before: The voice that training started from.
        after: The clone.
        held_out: Recordings that training held out.
        about: Facts for the table at the top.
    """
    longest = sorted(held_out.utterances, key=lambda u: -u.features.shape[1])[:SHOWN]
    shown = HeldOut(longest, held_out.data)
    texts = shown.texts
    sounds = {
        "the recording": shown.waves(),
        "its copy by the clone's vocoder": after.vocode(shown.features),
        "the voice before": before.speak_all(texts),
        "the clone": after.speak_all(texts),
    }
    sections = [Section("What this is", [Table(("", ""), about)])]
    for i, text in enumerate(texts):
        parts: list[Part] = [Text(text)]
        parts += [
            Media(name, wav_bytes(level(waves[i])), "audio/wav") for name, waves in sounds.items()
        ]
        sections.append(Section(f"Sentence {i + 1}, not used in training", parts))
    mel = after.acoustic.spec.mel
    drawn = {"the recording": longest[0].features[: mel.n_mels]}
    (drawn["the clone, at the recording's own timing"],) = (
        x[: mel.n_mels]
        for x in HeldOut(longest[:1], held_out.data).synthesize(
            after.acoustic, after.acoustic.sampler.steps
        )
    )
    picture = path.with_suffix(".png")
    plot_spectrograms(drawn, mel, picture)
    sections.append(Section("Spectrograms of sentence 1", [Media("", picture.read_bytes())]))
    write_page(path, f"A voice from {path.parent.name}", sections)


def pitch_hz(held_out: HeldOut) -> tuple[float, float]:
    """Median and standard deviation, in semitones, of the pitch of recordings.

    Args:
        held_out: Recordings with pitch.

    Returns:
        Median in Hz, and standard deviation in semitones.
    """
    pitch = held_out.data.spec.pitch
    assert pitch is not None
    rows = [pitch.decode(x[-2:].unsqueeze(0))[0].numpy() for x in held_out.features]
    voiced = np.concatenate([row[row > 0] for row in rows])
    return float(np.median(voiced)), float(12 * np.log2(voiced).std())
