"""Access, limits, errors, clients that leave, and many requests at once."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from support.serve.client import Caller, Server, TestClient, connect

from oneleap.domains.audio.loudness import level
from oneleap.domains.audio.wave import Wave, wav_bytes
from oneleap.domains.serve.limits import Limits
from oneleap.domains.serve.speech import SpeechRequest

SPEECH, ACT = "/v1/audio/speech", "/v1/act"
ASKED = {"model": "oneleap", "input": "Hello.", "voice": "slow", "response_format": "pcm"}


class SlowVoice:
    """A voice that waits until it is let go; it asks whether to go on."""

    def __init__(self) -> None:
        self.open, self.begun, self.stopped = (threading.Event() for _ in range(3))
        self.sample_rate = 24000

    def _wait(self, check: Callable[[], None]) -> None:
        self.begun.set()
        try:
            while not self.open.wait(0.005):
                check()
        except BaseException:
            self.stopped.set()
            raise

    def speak(self, request: SpeechRequest, check: Callable[[], None]) -> Wave:
        self._wait(check)
        return Wave(np.zeros(240, np.float32), 24000)

    def stream(self, request: SpeechRequest, check: Any, send: Callable[[Wave], None]) -> None:
        send(Wave(np.ones(240, np.float32), 24000))
        self._wait(check)
        send(Wave(np.ones(240, np.float32), 24000))


class BrokenVoice(SlowVoice):
    """A voice with a fault that names a secret."""

    def speak(self, request: SpeechRequest, check: Callable[[], None]) -> Wave:
        raise RuntimeError("the secret is 42")


def until(what: Callable[[], bool]) -> None:
    """Wait for something that happens soon."""
    end = time.monotonic() + 20
    while not what():
        assert time.monotonic() < end
        time.sleep(0.005)


def figure(client: Any, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} (\S+)$", client.get("/metrics").text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_many_requests_at_once_do_not_disturb_each_other(client: TestClient, loaded: Any) -> None:
    torch.set_num_threads(1)
    voice = loaded.voices["heart"].voice
    texts = [f"Number {i} says {'very ' * (i % 4)}little." for i in range(6)]
    with ThreadPoolExecutor(6) as threads:
        replies = list(threads.map(lambda t: client.post(SPEECH, json=speak(t)), texts))
    for text, reply in zip(texts, replies, strict=True):
        assert reply.status_code == 200
        assert reply.content == wav_bytes(level(voice.speak(text)))
    assert figure(client, "oneleap_requests_running") == 0
    assert figure(client, 'oneleap_requests_total{path="/v1/audio/speech",status="200"}') == 6
    assert figure(client, "oneleap_characters_total") == sum(map(len, texts))


def speak(text: str) -> dict[str, str]:
    return {"model": "oneleap", "input": text, "voice": "heart", "response_format": "wav"}


def test_health_models_and_figures(client: TestClient) -> None:
    assert client.get("/health").json() == {"status": "ok", "waiting": 0, "running": 0}
    models = client.get("/v1/models").json()
    assert models["object"] == "list"
    assert [model["id"] for model in models["data"]] == ["oneleap", "pointmaze-umaze"]
    assert models["data"][0]["voices"] == ["heart"]
    assert models["data"][1]["observation_shape"] == [4]
    assert figure(client, 'oneleap_requests_total{path="/health",status="200"}') == 1
    assert figure(client, 'oneleap_request_seconds_count{path="/health"}') == 1


def test_a_full_queue_says_when_to_come_back() -> None:
    slow = SlowVoice()
    with connect(Server({"slow": slow}, limits=Limits(workers=1, queue=1))) as client:
        with ThreadPoolExecutor(2) as threads:
            first = threads.submit(client.post, SPEECH, json=ASKED)
            assert slow.begun.wait(20)
            second = threads.submit(client.post, SPEECH, json=ASKED)
            until(lambda: client.get("/health").json()["waiting"] == 1)
            refused = client.post(SPEECH, json=ASKED)
            slow.open.set()
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"]["code"] == "busy"
        assert first.result().status_code == second.result().status_code == 200


@pytest.mark.parametrize("stream", ["", "audio"])
def test_a_request_that_takes_too_long_is_stopped(stream: str) -> None:
    slow = SlowVoice()
    with connect(Server({"slow": slow}, limits=Limits(seconds=0.2))) as client:
        reply = client.post(SPEECH, json=ASKED | ({"stream_format": stream} if stream else {}))
        assert slow.stopped.wait(20)
        if stream:  # it has begun: what is missing shows that it did not end well
            assert len(reply.content) == 480
        else:
            assert reply.status_code == 504
            assert "took more than 0.2 s" in reply.json()["error"]["message"]


@pytest.mark.parametrize("stream", ["", "audio"])
def test_a_client_that_leaves_stops_its_work(stream: str) -> None:
    slow = SlowVoice()
    server = Server({"slow": slow}, limits=Limits(workers=1, queue=1))
    body = ASKED | ({"stream_format": stream} if stream else {})

    async def call_and_leave() -> None:
        caller = Caller(server, SPEECH, json.dumps(body).encode())
        task = asyncio.create_task(caller())
        while not slow.begun.is_set():
            await asyncio.sleep(0.005)
        caller.left.set()
        await task

    asyncio.run(call_and_leave())
    assert slow.stopped.wait(20)
    until(lambda: server.pool.running == 0)
    assert b"oneleap_stopped_total 1.0" in server.metrics.text()
    server.pool.close()


def test_a_client_that_leaves_the_queue_is_forgotten() -> None:
    slow = SlowVoice()
    server = Server({"slow": slow}, limits=Limits(workers=1, queue=1))

    async def wait_and_leave() -> None:
        callers = [Caller(server, SPEECH, json.dumps(ASKED).encode()) for _ in range(2)]
        tasks = [asyncio.create_task(caller()) for caller in callers]
        while server.pool.waiting < 1:
            await asyncio.sleep(0.005)
        callers[1].left.set()
        await tasks[1]
        assert server.pool.waiting == 0
        slow.open.set()
        await tasks[0]
        assert callers[0].status == 200

    asyncio.run(wait_and_leave())
    server.pool.close()


def test_a_fault_of_the_server_is_told_without_details(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with connect(Server({"slow": BrokenVoice()})) as client:
        reply = client.post(SPEECH, json=ASKED)
    assert reply.status_code == 500
    assert reply.json()["error"]["type"] == "server_error"
    assert "42" not in reply.text
    assert "Traceback" not in reply.text
    assert "the secret is 42" in caplog.text  # the log has it


@pytest.mark.parametrize(
    ("body", "headers", "status", "message"),
    [
        (b"{", {}, 400, "not JSON"),
        (b"[1]", {}, 400, "must be a JSON object"),
        (b"[" * 100_000, {}, 400, "not JSON"),
        (b"\xff", {}, 400, "not JSON"),
        (b"", {}, 400, "not JSON"),
        (rb'{"voice": "\ud800", "model": "\udfff"}', {}, 400, "half of a pair of surrogates"),
        (rb'{"\udc80": 1}', {}, 400, "half of a pair of surrogates"),
        (b'{"input": "' + b"a" * 2_000_000 + b'"}', {}, 413, "exceeds 1024 KiB"),
        (b"{}", {"content-type": "text/plain"}, 415, "Content-Type: application/json"),
        (b"{}", {"host": "evil.example"}, 403, "not this machine's own name"),
    ],
)
@pytest.mark.parametrize("path", [SPEECH, ACT])
def test_what_is_no_request_is_refused(
    path: str,
    body: bytes,
    headers: dict[str, str],
    status: int,
    message: str,
    client: TestClient,
) -> None:
    given = {"content-type": "application/json"} | headers
    reply = client.post(path, content=body, headers=given)
    assert reply.status_code == status
    assert message in reply.json()["error"]["message"]
    assert "\n" not in reply.json()["error"]["message"]


def test_other_paths_and_methods_are_errors_in_json(client: TestClient) -> None:
    for reply, status in ((client.get("/v2"), 404), (client.get(SPEECH), 405)):
        assert reply.status_code == status
        assert reply.json()["error"]["type"] == "invalid_request_error"
    wrong = client.get(SPEECH)
    assert wrong.headers["allow"] == "POST"
    assert wrong.json()["error"]["message"] == "GET is not served here: use POST"
    assert wrong.json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1", "127.0.0.2:80", "[::1]:8000"])
def test_this_machine_may_use_any_of_its_names(host: str, client: TestClient) -> None:
    assert client.get("/health", headers={"host": host}).status_code == 200


def test_a_token_is_required_where_there_is_one() -> None:
    server = Server(token="secret")
    with connect(server, "http://models.example") as client:
        assert client.get("/health").status_code == 200
        for path in ("/metrics", "/v1/models"):
            for given in ({}, {"authorization": "Bearer wrong"}, {"authorization": "secret"}):
                reply = client.get(path, headers=given)
                assert reply.status_code == 401
                assert reply.json()["error"]["type"] == "authentication_error"
                assert reply.headers["www-authenticate"] == "Bearer"
            good = {"authorization": "Bearer secret"}
            assert client.get(path, headers=good).status_code == 200
        assert (
            client.post(ACT, json={}, headers={"authorization": b"Bearer \xe9"}).status_code == 401
        )
