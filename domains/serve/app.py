"""The application: paths, access, limits, and replies. It follows OpenAI's HTTP interface."""

import asyncio
import base64
import hmac
import json
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from oneleap.domains.audio.wave import Wave
from oneleap.domains.serve.errors import RequestError, is_local
from oneleap.domains.serve.formats import pcm
from oneleap.domains.serve.limits import Limits
from oneleap.domains.serve.metrics import Metrics
from oneleap.domains.serve.policies import Actions, ServedPolicy, actions_of, parse_act
from oneleap.domains.serve.pool import Job, Pool, Stopped
from oneleap.domains.serve.speech import MODEL, Speaker, SpeechRequest, parse_speech

T = TypeVar("T")

LOG = logging.getLogger("oneleap.serve")

CLIENT_LEFT = 499
"""Status, in the figures only, of a request whose client left."""


@dataclass(frozen=True, eq=False)
class Server:
    """What is served, to whom, and within which limits.

    Attributes:
        voices: Voices by name.
        policies: Policies by name.
        limits: Limits of requests.
        token: What a client has to present; empty if everyone on this machine may ask.
        pool: The workers.
        metrics: Figures about the server.
        started: Time of the start, in seconds since 1970.
    """

    voices: Mapping[str, Speaker] = field(default_factory=dict)
    policies: Mapping[str, ServedPolicy] = field(default_factory=dict)
    limits: Limits = field(default_factory=Limits)
    token: str = ""
    pool: Pool = field(init=False)
    metrics: Metrics = field(init=False)
    started: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        """Start the workers."""
        object.__setattr__(self, "pool", Pool(self.limits))
        object.__setattr__(self, "metrics", Metrics(self.pool))

    def app(self) -> Starlette:
        """Return the application."""

        @asynccontextmanager
        async def lifespan(app: Starlette) -> AsyncIterator[None]:
            yield
            await asyncio.to_thread(self.pool.close)

        routes = [
            Route("/health", self._endpoint(self.health, open_to_all=True)),
            Route("/metrics", self._endpoint(self.figures)),
            Route("/v1/models", self._endpoint(self.models)),
            Route("/v1/audio/speech", self._endpoint(self.speech), methods=["POST"]),
            Route("/v1/act", self._endpoint(self.act), methods=["POST"]),
        ]
        handlers: Any = {HTTPException: _http_error}
        return Starlette(routes=routes, exception_handlers=handlers, lifespan=lifespan)

    def _endpoint(
        self, handler: Callable[[Request], Awaitable[Response]], open_to_all: bool = False
    ) -> Callable[[Request], Awaitable[Response]]:
        """Check access, count and time a request, and turn what goes wrong into a reply."""

        async def endpoint(request: Request) -> Response:
            path, start = request.url.path, time.monotonic()
            try:
                self._check_access(request, open_to_all)
                response = await handler(request)
            except RequestError as error:
                response = JSONResponse(error.body, error.status, dict(error.headers))
            except (Stopped, ClientDisconnect):
                self.metrics.stopped.inc()
                response = Response(status_code=CLIENT_LEFT)
            except Exception:  # a fault of the server; its text may say too much
                LOG.exception("%s failed", path)
                message = "the server failed at this request; its log says why"
                fault = RequestError(500, message, None, "internal_error")
                response = JSONResponse(fault.body, 500)
            self.metrics.requests.labels(path, response.status_code).inc()
            if not isinstance(response, StreamingResponse):
                self.metrics.seconds.labels(path).observe(time.monotonic() - start)
            return response

        return endpoint

    def _check_access(self, request: Request, open_to_all: bool) -> None:
        """Check who asks.

        Without a token, only programs on this machine may. A web page in its browser may not: it
        could reach the server under another host name.

        Raises:
            RequestError: If the client may not ask.
        """
        if not self.token:
            host = request.headers.get("host", "")
            name = host if host.endswith("]") else host.rpartition(":")[0] or host
            if not is_local(name.strip("[]")):
                raise RequestError(
                    403, f"host: '{name[:80]}' is not this machine's own name", None, "forbidden"
                )
        elif not open_to_all:
            given = request.headers.get("authorization", "")
            expected = f"Bearer {self.token}"
            if not hmac.compare_digest(given.encode(), expected.encode()):
                raise RequestError(
                    401,
                    "wrong or missing token: send the header 'Authorization: Bearer TOKEN'",
                    None,
                    "invalid_api_key",
                    {"WWW-Authenticate": "Bearer"},
                )

    async def health(self, request: Request) -> Response:
        """Say that the server works, and how much it has to do."""
        busy = {"waiting": self.pool.waiting, "running": self.pool.running}
        return JSONResponse({"status": "ok", **busy})

    async def figures(self, request: Request) -> Response:
        """Return the figures for Prometheus."""
        return Response(self.metrics.text(), media_type="text/plain; version=0.0.4")

    async def models(self, request: Request) -> Response:
        """List the models."""
        common = {"object": "model", "created": self.started, "owned_by": "oneleap"}
        found: list[dict[str, Any]] = []
        if self.voices:
            found.append({"id": MODEL, **common, "voices": list(self.voices)})
        for name, policy in self.policies.items():
            found.append({"id": name, **common, "observation_shape": list(policy.shape)})
        return JSONResponse({"object": "list", "data": found})

    async def speech(self, request: Request) -> Response:
        """Speak a text."""
        body = await _read_json(request, self.limits)
        wanted = parse_speech(body, self.voices, self.limits)
        voice = self.voices[wanted.voice]
        if wanted.stream:
            return await self._stream(wanted, voice, request.url.path)

        def speak(job: Job[tuple[bytes, float]]) -> tuple[bytes, float]:
            wave = voice.speak(wanted, job.check)
            return wanted.format.encode(wave), wave.seconds

        sound, seconds = await self._result(request, self.pool.submit(speak))
        self.metrics.characters.inc(len(wanted.text))
        self.metrics.audio.inc(seconds)
        media = wanted.format.media_type.format(rate=voice.sample_rate)
        return Response(sound, media_type=media)

    async def act(self, request: Request) -> Response:
        """Choose actions."""
        body = await _read_json(request, self.limits)
        wanted = parse_act(body, self.policies, self.limits)
        policy = self.policies[wanted.policy]

        def choose(job: Job[Actions]) -> Actions:
            return actions_of(policy, wanted, job.check)

        actions = await self._result(request, self.pool.submit(choose))
        self.metrics.actions.inc(len(wanted.obs))
        return JSONResponse({"object": "actions", "model": wanted.policy, "actions": actions})

    async def _result(self, request: Request, job: Job[T]) -> T:
        """Wait for a job; stop it when its client leaves or its time is over.

        Raises:
            RequestError: If the time is over, or the work raises it.
            Stopped: If the client left.
        """
        left = asyncio.ensure_future(_disconnected(request))
        done = asyncio.wrap_future(job.future)
        try:
            await asyncio.wait(
                (left, done), timeout=self.limits.seconds, return_when=asyncio.FIRST_COMPLETED
            )
            if left.done() and not done.done():
                raise Stopped
            if not done.done():
                raise _too_long(self.limits)
            try:
                await done
                return job.take()
            except Stopped:
                raise _too_long(self.limits) from None
        finally:
            left.cancel()
            job.stop()
            done.cancel()

    async def _stream(self, wanted: SpeechRequest, voice: Speaker, path: str) -> Response:
        """Reply with pieces of sound. What is wrong with the text is said before the first."""
        loop, pieces = asyncio.get_running_loop(), asyncio.Queue[Wave | None]()
        start = time.monotonic()

        def put(piece: Wave | None) -> None:
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

        def speak(job: Job[None]) -> None:
            try:
                voice.stream(wanted, job.check, put)
            finally:
                put(None)

        job = self.pool.submit(speak)
        done = asyncio.wrap_future(job.future)

        async def next_piece() -> Wave | None:
            piece = await asyncio.wait_for(pieces.get(), job.end - time.monotonic())
            if piece is None:
                await done  # raises what went wrong
            return piece

        first = None
        try:
            first = await next_piece()
        except (TimeoutError, Stopped):
            raise _too_long(self.limits) from None
        finally:
            if first is None:  # nothing can be sent
                job.stop()
                done.cancel()

        async def reply() -> AsyncIterator[bytes]:
            piece, seconds = first, 0.0
            try:
                head, rate = True, voice.sample_rate
                while piece is not None:
                    sound = pcm(piece)
                    if head:
                        sound, head = wanted.format.header(rate) + sound, False
                    seconds += piece.seconds
                    yield sound if wanted.stream == "audio" else _event(sound)
                    piece = await next_piece()
                if wanted.stream == "sse":
                    yield b'data: {"type": "speech.audio.done"}\n\n'
                self.metrics.characters.inc(len(wanted.text))
            finally:  # also when the client has left
                if not done.done():
                    self.metrics.stopped.inc()
                job.stop()
                done.cancel()
                self.metrics.audio.inc(seconds)
                self.metrics.seconds.labels(path).observe(time.monotonic() - start)

        media = wanted.format.media_type.format(rate=voice.sample_rate)
        return StreamingResponse(
            reply(), media_type="text/event-stream" if wanted.stream == "sse" else media
        )


def _event(sound: bytes) -> bytes:
    """Return a piece of sound as an event of OpenAI's stream."""
    event = {"type": "speech.audio.delta", "audio": base64.b64encode(sound).decode()}
    return f"data: {json.dumps(event)}\n\n".encode()


def _too_long(limits: Limits) -> RequestError:
    message = f"the request took more than {limits.seconds:g} s: send less, or try again later"
    return RequestError(504, message, None, "timeout")


async def _http_error(request: Request, error: HTTPException) -> Response:
    """Reply to a request for a path or a method that is not served."""
    status, message, code = error.status_code, error.detail, "not_found"
    if status == 404:
        message = "no such path: see GET /v1/models"
    if status == 405:
        allowed = (error.headers or {}).get("Allow", "another method")
        message = f"{request.method} is not served here: use {allowed}"
        code = "method_not_allowed"
    found = RequestError(status, message, None, code)
    return JSONResponse(found.body, error.status_code, error.headers)


async def _disconnected(request: Request) -> None:
    """Wait until the client leaves."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _read_json(request: Request, limits: Limits) -> dict[str, Any]:
    """Read the body of a request.

    Raises:
        RequestError: If it is no object in JSON, too large, or too slow.
    """
    media = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media != "application/json":
        raise RequestError(
            415, "send JSON with the header 'Content-Type: application/json'", None, "media_type"
        )
    body, largest = bytearray(), 1024 * limits.kilobytes
    try:
        async with asyncio.timeout(limits.seconds):
            async for part in request.stream():
                body += part
                if len(body) > largest:
                    raise RequestError(
                        413, f"the body exceeds {limits.kilobytes} KiB", None, "too_large"
                    )
    except TimeoutError:
        raise RequestError(408, "the body came too slowly", None, "timeout") from None
    try:
        value = json.loads(body)
        json.dumps(value, ensure_ascii=False).encode()  # an escape can stand for half a character
    except UnicodeEncodeError:
        message = "the body holds half of a pair of surrogates, which is no text"
        raise RequestError(400, message, None, "invalid_json") from None
    except (ValueError, RecursionError):
        raise RequestError(400, "the body is not JSON", None, "invalid_json") from None
    if not isinstance(value, dict):
        raise RequestError(400, "the body must be a JSON object", None, "invalid_json")
    return value
