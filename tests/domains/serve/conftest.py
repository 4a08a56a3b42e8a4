"""A server with a shipped voice and a shipped policy, loaded once."""

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture(scope="session")
def loaded() -> Any:
    """What is served; tests with other limits share its voices and policies."""
    from oneleap.domains.serve.command import load_server
    from oneleap.domains.serve.limits import Limits

    return load_server(["heart"], ["pointmaze-umaze"], Limits())


@pytest.fixture
def client(loaded: Any) -> Iterator[Any]:
    from support.serve.client import Server, connect

    from oneleap.domains.serve.limits import Limits

    with connect(Server(loaded.voices, loaded.policies, Limits(seconds=30.0))) as found:
        yield found
