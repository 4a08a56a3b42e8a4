"""``POST /v1/audio/speech``: the sound of ``oneleap speak``, whole or in pieces."""

import base64
import io
import json
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from support.serve.client import Server, TestClient, connect

from oneleap.domains.audio.loudness import TARGET_LUFS, level, loudness
from oneleap.domains.audio.wave import Wave, wav_bytes
from oneleap.domains.serve.formats import available_formats, pcm
from oneleap.domains.speech.voice.delivery import Delivery

PATH = "/v1/audio/speech"
TEXT = "Hello there. This is a second sentence."


def asked(**changes: Any) -> dict[str, Any]:
    body = {"model": "oneleap", "input": TEXT, "voice": "heart", "response_format": "wav"}
    return {name: value for name, value in (body | changes).items() if value is not None}


def spoken(loaded: Server, text: str = TEXT, seed: int = 0, **delivery: Any) -> Wave:
    """The sound of a direct call, on one thread as in a worker."""
    torch.set_num_threads(1)
    voice = loaded.voices["heart"].voice
    return voice.speak_all([text], Delivery(**delivery), seed=seed)[0]


def test_a_reply_is_the_sound_of_a_direct_call(client: TestClient, loaded: Server) -> None:
    reply = client.post(PATH, json=asked())
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "audio/wav"
    assert reply.content == wav_bytes(level(spoken(loaded)))


def test_settings_reach_the_voice(client: TestClient, loaded: Server) -> None:
    reply = client.post(PATH, json=asked(speed=1.5, seed=3, voice={"id": "heart"}, model="tts-1"))
    assert reply.content == wav_bytes(level(spoken(loaded, seed=3, speed=1.5)))
    assert reply.content != client.post(PATH, json=asked(speed=1.5)).content


def test_every_format_holds_the_same_sound(client: TestClient, loaded: Server) -> None:
    wave = level(spoken(loaded))
    exact = np.frombuffer(pcm(wave), "<i2")
    for name, form in available_formats().items():
        reply = client.post(PATH, json=asked(response_format=name))
        assert reply.headers["content-type"] == form.media_type.format(rate=24000)
        if name == "pcm":
            assert reply.content == exact.tobytes()
            continue
        samples, rate = soundfile.read(io.BytesIO(reply.content), dtype="int16")
        assert rate == 24000
        if name == "mp3":  # lossy, with some silence before and after
            assert abs(len(samples) - len(exact)) < 0.2 * rate
        else:
            assert np.array_equal(samples, exact)


def test_without_a_format_the_reply_is_the_first_that_can_be_written(client: TestClient) -> None:
    first = next(iter(available_formats().values()))
    reply = client.post(PATH, json=asked(response_format=None))
    assert reply.headers["content-type"] == first.media_type


def pieces(loaded: Server) -> bytes:
    served = loaded.voices["heart"]
    torch.set_num_threads(1)
    found = list(served.voice.stream(TEXT))
    return b"".join(pcm(Wave((served.gain * p.samples).clip(-1, 1), 24000)) for p in found)


def test_a_stream_is_the_sound_of_a_direct_stream(client: TestClient, loaded: Server) -> None:
    with client.stream("POST", PATH, json=asked(stream_format="audio")) as reply:
        parts = list(reply.iter_raw())
    assert len(parts) > 2
    whole = b"".join(parts)
    assert whole[44:] == pieces(loaded)
    samples, rate = soundfile.read(io.BytesIO(whole), dtype="int16")
    assert (len(samples), rate) == (len(whole[44:]) // 2, 24000)


def test_a_stream_is_about_as_loud_as_a_whole_reply(loaded: Server) -> None:
    samples = np.frombuffer(pieces(loaded), "<i2").astype(np.float32) / 32768
    assert abs(loudness(Wave(samples, 24000)) - TARGET_LUFS) < 3


def test_events_hold_the_same_stream(client: TestClient, loaded: Server) -> None:
    reply = client.post(PATH, json=asked(stream_format="sse", response_format="pcm"))
    assert reply.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in reply.text.split("\n\n") if line]
    events = [json.loads(line.removeprefix("data: ")) for line in lines]
    assert [e["type"] for e in events[:-1]] == ["speech.audio.delta"] * (len(events) - 1)
    assert events[-1] == {"type": "speech.audio.done"}
    sound = b"".join(base64.b64decode(e["audio"]) for e in events[:-1])
    assert sound == pieces(loaded)


@pytest.mark.parametrize(
    ("changes", "status", "param", "message"),
    [
        ({"model": None}, 400, "model", "model: is required"),
        ({"model": "gpt"}, 404, "model", "no 'gpt' that speaks; the model that speaks is"),
        ({"input": None}, 400, "input", "input: is required"),
        ({"input": 5}, 400, "input", "must be a text, not a number"),
        ({"input": ""}, 400, "input", "nothing to say"),
        ({"input": "?!"}, 400, "input", "there is no word in '?!'"),
        ({"input": "a" * 5000}, 400, "input", "5000 characters are more than 4096"),
        ({"input": "<speak><b"}, 400, "input", "SSML"),
        ({"voice": "alloy"}, 400, "voice", "no 'alloy' (heart)"),
        ({"voice": ["heart"]}, 400, "voice", "must be a text, not a list"),
        ({"response_format": "aac"}, 400, "response_format", "no 'aac'"),
        ({"stream_format": "video"}, 400, "stream_format", "no 'video'"),
        (
            {"stream_format": "sse", "response_format": "flac"},
            *(400, "stream_format", "flac cannot be streamed: ask for wav or pcm"),
        ),
        ({"speed": 40}, 400, "speed", "must be from 0.1 to 10, not 40"),
        ({"speed": "fast"}, 400, "speed", "must be a number, not a text"),
        ({"speed": True}, 400, "speed", "must be a number, not true or false"),
        ({"speed": 10**400}, 400, "speed", "must be a finite number"),
        ({"seed": -1}, 400, "seed", "-1 is negative"),
        ({"seed": 0.5}, 400, "seed", "must be a whole number"),
        ({"speaker": "nobody"}, 400, "speaker", "no 'nobody'"),
        ({"instructions": "whisper"}, 400, "instructions", "leave it out"),
        ({"sped": 1}, 400, "sped", "unknown field 'sped'; did you mean 'speed'?"),
    ],
)
@pytest.mark.parametrize("stream", ["", "audio"])
def test_a_wrong_request_is_refused_in_one_line(
    changes: dict[str, Any], status: int, param: str, message: str, stream: str, client: TestClient
) -> None:
    streamed = {"stream_format": stream} if stream else {}
    reply = client.post(PATH, json=asked(**(streamed | changes)))
    error = reply.json()["error"]
    assert (reply.status_code, error["param"]) == (status, param)
    assert error["type"] == "invalid_request_error"
    assert message in error["message"]
    assert "\n" not in error["message"]
    assert "Traceback" not in reply.text


def test_a_server_of_policies_has_no_voice(loaded: Server) -> None:
    with connect(Server({}, loaded.policies)) as client:
        error = client.post(PATH, json=asked()).json()["error"]
    assert "this server has no voice" in error["message"]
