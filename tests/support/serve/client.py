"""The application in this process. Importing this skips a test where the extra is missing."""

import asyncio
import importlib
from typing import Any

import pytest

for _module in ("starlette", "uvicorn", "prometheus_client", "httpx2", "soundfile", "gymnasium"):
    pytest.importorskip(_module)

Server = importlib.import_module("oneleap.domains.serve.app").Server
TestClient = importlib.import_module("starlette.testclient").TestClient


def connect(server: Any, url: str = "http://127.0.0.1:8000") -> Any:
    """A client on this machine; as over a network, it sees replies and never exceptions."""
    return TestClient(server.app(), base_url=url, raise_server_exceptions=False)


class Caller:
    """A client that can leave: it drives the application by the messages of ASGI.

    Args:
        server: The server.
        path: Path to post to.
        body: Body of the request.
    """

    def __init__(self, server: Any, path: str, body: bytes) -> None:
        self.app, self.body, self.sent = server.app(), body, list[Any]()
        self.left, self._given = asyncio.Event(), False
        headers = [(b"host", b"127.0.0.1:8000"), (b"content-type", b"application/json")]
        self.scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": "POST",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8000),
        }

    async def __call__(self) -> None:
        await self.app(self.scope, self._receive, self._send)

    async def _receive(self) -> dict[str, Any]:
        if not self._given:
            self._given = True
            return {"type": "http.request", "body": self.body, "more_body": False}
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.sent.append(message)

    @property
    def status(self) -> int:
        return int(self.sent[0]["status"])
