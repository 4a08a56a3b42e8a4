"""openvpi's graphs: names, shapes and types, and that they compute what the models do."""

from dataclasses import replace

import pytest
import torch
from support.exact import seeded
from support.tiny_singing import MEL, SPEC, TIMED, acoustic, curves, durations, songs, vocoder

from oneleap.core.errors import InputError
from oneleap.core.sampling.samplers import EulerSampler, FlowMapSampler
from oneleap.domains.audio.sequence import frame_to_token
from oneleap.domains.audio.vocoders.nsf_onnx import NSFGraph
from oneleap.domains.singing import Singer
from oneleap.domains.singing.data.batches import ScoreFeatures, score_batch, score_features
from oneleap.domains.singing.openvpi.dsconfig import configuration_files, mel_keys
from oneleap.domains.singing.openvpi.graphs import (
    AcousticGraph,
    DurationGraph,
    PhonemeLinguisticGraph,
    PitchGraph,
    SamplerStep,
    WordLinguisticGraph,
    tile_noise,
    uses_instantaneous_velocity,
)
from oneleap.domains.singing.openvpi.singer_graphs import random_inputs, singer_graphs


def singer(depth: float = 0.6) -> Singer:
    model = acoustic(depth=depth, sampler=FlowMapSampler(1, depth))
    return Singer(model, durations(), curves(), vocoder())


def score() -> ScoreFeatures:
    return score_features(TIMED, SPEC)


def test_names_are_those_of_openvpi() -> None:
    inputs = {g.path: tuple(g.inputs) for g in singer_graphs(singer(), "x")}
    assert inputs["x.onnx"] == ("tokens", "durations", "f0", "depth", "steps")
    assert inputs["dsdur/x.linguistic.onnx"] == ("tokens", "word_div", "word_dur")
    assert inputs["dsdur/x.dur.onnx"] == ("encoder_out", "x_masks", "ph_midi")
    assert inputs["dspitch/x.linguistic.onnx"] == ("tokens", "ph_dur")
    notes = ("note_midi", "note_rest", "note_dur")
    pitch = ("encoder_out", "ph_dur", *notes, "pitch", "retake", "steps")
    assert inputs["dspitch/x.pitch.onnx"] == pitch
    assert inputs["dsvocoder/x-nsf.onnx"] == ("mel", "f0")
    deep = {g.path: tuple(g.inputs) for g in singer_graphs(singer(1.0), "x")}
    assert deep["x.onnx"] == ("tokens", "durations", "f0", "steps")
    files = configuration_files(singer(), "x")
    assert files["dsconfig.yaml"]["max_depth"] == 0.6
    assert files["dsconfig.yaml"]["use_variable_depth"]
    assert files["dsconfig.yaml"]["num_mel_bins"] == 10
    assert files["dsvocoder/vocoder.yaml"]["hop_size"] == 128


@torch.no_grad()
@pytest.mark.parametrize("depth", [1.0, 0.6])
def test_the_acoustic_graph_is_the_model(depth: float) -> None:
    voice, r = singer(depth), score()
    graph = AcousticGraph(voice.acoustic)
    f0 = torch.full((1, len(r.base_pitch)), 220.0)
    rest = [torch.tensor(0.9)] if depth < 1 else []  # larger than the sampler's
    found = graph(r.tokens[None], r.durations[None], f0, *rest, torch.tensor(3))
    phrase = score_batch(TIMED, SPEC)._replace(f0=f0)
    noise = tile_noise(graph.noise, len(r.base_pitch))
    expected, _ = voice.acoustic.generate(
        voice.acoustic.frame_batch(phrase), noise, FlowMapSampler(3, depth)
    )
    torch.testing.assert_close(found, expected.mT * MEL.std + MEL.mean, atol=1e-4, rtol=1e-4)
    if depth < 1:
        shallower = graph(r.tokens[None], r.durations[None], f0, torch.tensor(0.3), torch.tensor(3))
        expected, _ = voice.acoustic.generate(
            voice.acoustic.frame_batch(phrase), noise, FlowMapSampler(3, 0.3)
        )
        torch.testing.assert_close(
            shallower, expected.mT * MEL.std + MEL.mean, atol=1e-4, rtol=1e-4
        )


@torch.no_grad()
def test_euler_steps_use_the_instantaneous_velocity() -> None:
    model = acoustic(sampler=EulerSampler(5))
    assert uses_instantaneous_velocity(model)
    seen: list[bool] = []

    class Recorder(torch.nn.Module):
        def forward(self, z: torch.Tensor, r: torch.Tensor, t: torch.Tensor, c: object) -> object:
            seen.append(bool(torch.equal(r, t)))
            return z

    z, t, r = torch.ones(1, 2, 3), torch.ones(1), torch.zeros(1)
    for instantaneous in (True, False):
        SamplerStep(Recorder(), instantaneous)(z, torch.zeros(1, 1, 3), r, t)
    assert seen == [True, False]


@torch.no_grad()
def test_word_graphs_are_the_duration_model() -> None:
    voice, r, batch = singer(), score(), songs()
    division = torch.tensor([[2, 2, 1, 1]])
    length = r.word_durations[torch.tensor([0, 2, 4, 5])].round().long()[None]
    hidden, mask = WordLinguisticGraph(voice.durations)(r.tokens[None], division, length)
    assert not mask.any()  # openvpi's masks are of padding
    frames = DurationGraph(voice.durations)(hidden, mask, r.ph_midi[None].long())
    rounded = batch._replace(
        word_durations=length.gather(1, batch.word_index[:1]).float().expand(3, -1)
    )
    torch.testing.assert_close(frames, voice.durations.predict(rounded)[:1])


@torch.no_grad()
def test_the_pitch_graph_is_the_model_and_keeps_the_other_frames() -> None:
    voice, r = singer(), score()
    graph, n = PitchGraph(voice.pitch), len(r.base_pitch)
    hidden, _ = PhonemeLinguisticGraph(voice.pitch)(r.tokens[None], r.durations[None])
    given = torch.full((1, n), 60.0)
    retake = torch.arange(n)[None] % 3 > 0
    notes = (r.note_midi[None], r.note_rest[None], r.note_durations[None])
    found = graph(hidden, r.durations[None], *notes, given, retake, torch.tensor(1))
    assert (found[~retake] == 60).all()
    batch = voice.pitch.curve_batch(score_batch(TIMED, SPEC)._replace(f0=given))
    off = voice.pitch.generate(batch, tile_noise(graph.noise, n))
    expected = (r.base_pitch + off[0, 0])[None]
    torch.testing.assert_close(found[retake], expected[retake], atol=1e-4, rtol=1e-5)


@torch.no_grad()
def test_the_vocoder_graph_is_the_vocoder() -> None:
    model = vocoder()
    graph, mel = NSFGraph(model, 0), torch.randn(1, 10, 40, generator=seeded(0))
    f0 = 150 + 100 * torch.rand(1, 40, generator=seeded(1))
    noise = graph.noise[:, torch.arange(40 * MEL.hop) % graph.noise.shape[1]]
    expected = model(mel, f0, noise)
    found = graph(mel.mT * MEL.std + MEL.mean, f0)
    torch.testing.assert_close(found, expected, atol=2e-4 * float(expected.abs().max()), rtol=0)


def test_random_durations_add_up() -> None:
    for graph in singer_graphs(singer(), "x"):
        values = dict(
            zip(graph.inputs, random_inputs(graph, singer(), (9, 5, 200), 0), strict=True)
        )
        for name in {"durations", "ph_dur", "note_dur", "word_dur"} & set(values):
            assert int(values[name].sum()) == 200
            assert frame_to_token(values[name], 200).shape == (1, 200)


def test_logarithms_of_ten_are_refused() -> None:
    with pytest.raises(InputError, match="log_base"):
        mel_keys(replace(MEL, log_base="10"))


@torch.no_grad()
def test_voicing_rides_on_the_spectrogram_from_graph_to_graph() -> None:
    from oneleap.domains.audio.vocoders.source_filter import SourceFilterVocoder
    from oneleap.domains.audio.vocoders.source_filter_onnx import SourceFilterGraph
    from oneleap.domains.singing.openvpi.vocoder_graph import vocoder_graph

    spec = replace(SPEC, voicing=True)
    model = SourceFilterVocoder(MEL, 8, 8, 1).eval()
    x = torch.randn(20, spec.channels, generator=seeded(0))
    f0 = torch.full((20,), 220.0)
    found = vocoder_graph(model, spec, 3)((x * MEL.std + MEL.mean)[None], f0[None])
    voiced = torch.where(x[:, -1] > 0, f0, 0.0)
    alone = SourceFilterGraph(model, 3)(x[:, :-1], voiced)
    torch.testing.assert_close(found, alone.reshape(1, -1), atol=1e-4, rtol=1e-4)
    assert mel_keys(MEL, spec.channels)["num_mel_bins"] == MEL.n_mels + 1


@torch.no_grad()
def test_the_temperature_is_that_of_the_model_and_guidance_is_refused() -> None:
    cold, r = acoustic(temperature=0.5), score()
    graph, warm = AcousticGraph(cold), AcousticGraph(acoustic())
    torch.testing.assert_close(graph.noise, 0.5 * warm.noise)
    f0 = torch.full((1, len(r.base_pitch)), 220.0)
    found = graph(r.tokens[None], r.durations[None], f0, torch.tensor(1))
    frames = cold.frame_batch(score_batch(TIMED, SPEC)._replace(f0=f0))
    expected, _ = cold.generate(frames, tile_noise(warm.noise, len(r.base_pitch)))
    torch.testing.assert_close(found, expected.mT * MEL.std + MEL.mean, atol=1e-4, rtol=1e-4)
    with pytest.raises(InputError, match="sampler: guidance is not exported"):
        AcousticGraph(acoustic(sampler=EulerSampler(2, guidance=2.0)))
