"""Voicing is generated with the spectrogram, and silences the pitch of unvoiced frames."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support.exact import seeded
from support.tiny_singing import MEL, SPEC, TWO, curves, durations, vocoder
from torch import Tensor

from oneleap.core.errors import InputError
from oneleap.core.objectives import FlowMatching
from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
from oneleap.domains.audio.vocoders.vocos import Vocos
from oneleap.domains.singing import AcousticModel, Singer
from oneleap.domains.singing.models.nets import AuxDecoderConfig, EncoderConfig, LYNXConfig
from oneleap.domains.singing.voice.vocoding import load_vocoder, vocode

VOICED = replace(SPEC, voicing=True)


def acoustic() -> AcousticModel:
    return AcousticModel(
        VOICED,
        FlowMatching(),
        encoder=EncoderConfig(8, 1, 2, 8),
        aux=AuxDecoderConfig(8, 8, 1),
        decoder=LYNXConfig(8, 1, 3),
    ).eval()


def test_frames_are_voiced_above_zero() -> None:
    x = torch.zeros(1, VOICED.channels, 3)
    x[0, -1] = torch.tensor([-1.0, 1.0, 0.0])
    assert VOICED.voiced(x).tolist() == [[False, True, False]]
    assert SPEC.voiced(x[:, :-1]).all()  # nothing is known, so all are
    assert VOICED.channels == SPEC.channels + 1 == MEL.n_mels + 1


def test_unvoiced_frames_get_no_pitch() -> None:
    model = SourceFilterVocoder(MEL, 8, 8, 1).eval()
    x = torch.randn(2, VOICED.channels, 12, generator=seeded(1))
    f0 = torch.full((2, 12), 220.0)
    found = vocode(model, VOICED, x, f0, torch.zeros_like)
    pitch = torch.where(x[:, -1] > 0, f0, 0.0)
    expected = model(x[:, :-1], pitch, noise=torch.zeros(2, 12 * MEL.hop))
    torch.testing.assert_close(found, expected)
    hushed = torch.cat([x[:, :-1], -torch.ones(2, 1, 12)], 1)
    assert not torch.allclose(vocode(model, VOICED, hushed, f0, torch.zeros_like), found)


def test_an_nsf_gets_pitch_everywhere() -> None:
    model = vocoder()
    x = torch.randn(1, SPEC.channels, 12, generator=seeded(1))
    f0 = torch.full((1, 12), 220.0)
    noise: Tensor = torch.randn(1, 12 * MEL.hop, generator=seeded(2))
    found = vocode(model, SPEC, x, f0, lambda zeros: noise)
    torch.testing.assert_close(found, model(x, f0, noise))


def test_a_singer_with_a_source_filter_vocoder_sings_and_is_saved(tmp_path: Path) -> None:
    parts = [durations(), curves()]
    for part in parts:
        part.spec = VOICED
    singer = Singer.from_parts(acoustic(), *parts, SourceFilterVocoder(MEL, 8, 8, 1).eval())
    wave = singer.sing(TWO)
    singer.save(tmp_path / "voice", bits=32)
    again = Singer.load(tmp_path / "voice")
    torch.testing.assert_close(
        torch.from_numpy(again.sing(TWO).samples), torch.from_numpy(wave.samples)
    )


def test_a_model_without_voicing_is_refused(tmp_path: Path) -> None:
    from support.tiny_singing import acoustic as plain

    with pytest.raises(InputError, match=r"needs voicing: train .* with --data.voicing true"):
        Singer.from_parts(plain(), durations(), curves(), SourceFilterVocoder(MEL, 8, 8, 1).eval())
    Vocos(MEL, 8, 8, 1).save_pretrained(tmp_path / "vocos")
    with pytest.raises(InputError, match=r"holds a oneleap\.domains\.audio\.Vocos; a singer needs"):
        load_vocoder(tmp_path / "vocos")
