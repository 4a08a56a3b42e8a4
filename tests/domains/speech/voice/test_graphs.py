"""Graphs of a voice equal the model."""

import pytest
import torch
from support.tiny_speech import MEL, acoustic, pitched_acoustic, vocoder

from oneleap.core.errors import InputError
from oneleap.core.sampling.samplers import ConsistencySampler, EulerSampler, Sampler
from oneleap.domains.audio.vocoders.vocos_onnx import RealVocos, vocoder_graph
from oneleap.domains.speech.models.acoustic import AcousticModel
from oneleap.domains.speech.spec import Spec
from oneleap.domains.speech.voice.graphs import DecoderGraph, build_graphs


def model(sampler: Sampler | None = None, speakers: tuple[str, ...] = ("a", "b")) -> AcousticModel:
    return acoustic(sampler=sampler, spec=Spec(MEL, speakers=speakers))


@pytest.mark.parametrize("n", [1, 2, 9, 30])
def test_the_vocoder_graph_in_real_numbers_equals_the_vocoder(n: int) -> None:
    graph = vocoder_graph(vocoder())
    (mel,), wanted = graph.draw(n)
    assert wanted.shape == (n, MEL.hop)
    with torch.no_grad():
        torch.testing.assert_close(RealVocos(vocoder())(mel), wanted, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("speaker", [0, 1])
@pytest.mark.parametrize("sampler", [None, EulerSampler(2, guidance=1.5), ConsistencySampler(1)])
def test_text_and_decoder_graphs_equal_the_model(sampler: Sampler | None, speaker: int) -> None:
    for graph in build_graphs(model(sampler), speaker=speaker):
        inputs, wanted = graph.draw(11)
        with torch.no_grad():
            torch.testing.assert_close(graph.module(*inputs), wanted, atol=1e-6, rtol=1e-6)


def test_graphs_of_a_voice_with_pitch_equal_the_model() -> None:
    voice = pitched_acoustic()
    voice.temperature, voice.expressive = 0.5, 0.8
    for graph in build_graphs(voice):
        inputs, wanted = graph.draw(7)
        assert inputs[0].shape[-1] in (7, MEL.n_mels + 2)
        with torch.no_grad():
            torch.testing.assert_close(graph.module(*inputs), wanted, atol=1e-6, rtol=1e-6)


def test_a_graph_takes_standard_noise_whatever_the_temperature() -> None:
    voice = acoustic()
    means, noise = torch.randn(2, 12, 1, MEL.n_mels)
    with torch.no_grad():
        cool = DecoderGraph(voice, 0, voice.sampler)(means, 0.5 * noise)
        voice.temperature = 0.5
        torch.testing.assert_close(DecoderGraph(voice, 0, voice.sampler)(means, noise), cool)


def test_speakers_differ() -> None:
    first, second = (build_graphs(model(), speaker=i)[1] for i in (0, 1))
    inputs, _ = first.draw(5)
    with torch.no_grad():
        assert (first.module(*inputs) - second.module(*inputs)).abs().max() > 1e-3


def test_samplers_that_draw_noise_are_rejected() -> None:
    with pytest.raises(InputError, match="ConsistencySampler of 2 steps cannot be exported"):
        build_graphs(model(ConsistencySampler(2)))
