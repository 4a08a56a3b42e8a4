"""The melody that a voice speaks with."""

from typing import Any

import numpy as np
import pytest
import torch
from support.tiny_speech import acoustic, pitched_acoustic, pitched_vocoder, vocoder

from oneleap.core.errors import InputError
from oneleap.domains.speech import Delivery, Voice
from oneleap.domains.speech.voice import voice as module

TEXT = "həlˈoʊ. wˈɜːld!"


def test_the_melody_is_what_the_vocoder_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    voice, given = Voice(pitched_acoustic(), pitched_vocoder()), list[torch.Tensor]()
    vocode = module.vocode

    def record(vocoder: Any, spec: Any, features: Any, seeds: Any) -> Any:
        given.extend(features)
        return vocode(vocoder, spec, features, seeds)

    monkeypatch.setattr(module, "vocode", record)
    delivery = Delivery(pitch=3.0, expressive=1.5)
    voice.speak_all([TEXT], delivery, seed=2, ipa=True)
    spec = voice.acoustic.spec
    assert spec.pitch is not None
    decoded = [spec.pitch.decode(x[None, spec.mel.n_mels :])[0].numpy() for x in given]
    melody = voice.pitch(TEXT, delivery, seed=2, ipa=True)
    orders = [np.concatenate(rows) for rows in (decoded, decoded[::-1])]  # shorter texts come first
    assert any(np.allclose(melody, whole, rtol=1e-4) for whole in orders)
    assert np.isfinite(melody).all()
    assert (melody > 0).any()


def test_a_voice_without_pitch_has_no_melody() -> None:
    with pytest.raises(InputError, match="generates no pitch: take another one, such as heart"):
        Voice(acoustic(), vocoder()).pitch(TEXT, ipa=True)
