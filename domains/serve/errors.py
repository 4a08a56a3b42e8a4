"""Errors of a request, and how a client reads them: OpenAI's JSON form, one clear line."""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(eq=False)  # not frozen: Python notes on an exception where it was raised
class RequestError(Exception):
    """A request that is refused or fails.

    Attributes:
        status: HTTP status.
        message: One line for the client: what is wrong, and what to do.
        param: Field of the request that is wrong, if it is one.
        code: Short name of the error.
        headers: Further HTTP headers.
    """

    status: int
    message: str
    param: str | None = None
    code: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        """The error as OpenAI's servers report it."""
        kind = "server_error" if self.status >= 500 else "invalid_request_error"
        kind = "authentication_error" if self.status == 401 else kind
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": error}


def is_local(host: str) -> bool:
    """Return whether a host is this machine's own name or address, without asking a network."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def invalid(param: str, message: str, code: str = "invalid_value") -> RequestError:
    """Return the error of a field with a wrong value.

    Args:
        param: Name of the field.
        message: What is wrong, without the name.
        code: Short name of the error.
    """
    return RequestError(400, f"{param}: {message}", param, code)
