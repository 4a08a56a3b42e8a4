"""``oneleap serve``: voices and policies over HTTP."""

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from oneleap.core.errors import InputError

if TYPE_CHECKING:
    from oneleap.domains.serve.app import Server
    from oneleap.domains.serve.limits import Limits

TOKEN = "ONELEAP_TOKEN"
"""Environment variable with the token; a list of processes does not show it."""


def serve(
    host: str = "127.0.0.1",
    port: int = 8000,
    voice: list[str] | None = None,
    policy: list[str] | None = None,
    token: str | None = None,
    workers: int = 0,
    queue: int = 64,
    seconds: float = 60.0,
    characters: int = 4096,
    kilobytes: int = 1024,
    observations: int = 1024,
) -> None:
    """Serve voices and policies over HTTP, with OpenAI's interface for speech, until Ctrl-C.

    Example: oneleap serve --voice heart --policy pointmaze-umaze

    Args:
        host: Address to listen on. Beyond this machine, a token is required.
        port: Port to listen on; 0 takes a free one.
        voice: Name of a shipped voice, or folder of a voice; can be repeated. By default heart, or
            none if there is a policy.
        policy: Name of a shipped policy, or folder of a run or of a model; can be repeated.
        token: What clients have to send as ``Authorization: Bearer TOKEN``; by default the
            environment variable ONELEAP_TOKEN, which other users of the machine cannot see.
        workers: Requests at work at the same time, each on one thread; 0 is one per core.
        queue: Requests that may wait; a further one gets status 503.
        seconds: Longest time of a request, its waiting included.
        characters: Longest text to speak.
        kilobytes: Largest body of a request, in KiB.
        observations: Largest number of observations of a request.

    Raises:
        InputError: There is no such voice or policy, the port is in use, or a token is missing.
    """
    from oneleap.domains.serve.limits import Limits
    from oneleap.domains.serve.memory import bound_primitives

    token = os.environ.get(TOKEN, "") if token is None else token
    check_access(host, token)
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    limits = Limits(workers or cores or 1, queue, seconds, characters, kilobytes, observations)
    bound_primitives()
    import uvicorn

    with listen(host, port) as listener:
        server = load_server(voice, policy, limits, token)
        address = listener.getsockname()
        where = f"[{address[0]}]" if ":" in address[0] else address[0]
        names = ", ".join((*server.voices, *server.policies))
        print(f"http://{where}:{address[1]} serves {names} (Ctrl-C ends)", file=sys.stderr)
        config = uvicorn.Config(
            server.app(),
            log_level="warning",
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
        uvicorn.Server(config).run([listener])


def check_access(host: str, token: str) -> None:
    """Check that a server beyond this machine has a token.

    Args:
        host: Address to listen on.
        token: Its token; empty for none.

    Raises:
        InputError: If it has none, or the token cannot be sent in a header.
    """
    if token and not (token.isascii() and token.isprintable() and " " not in token):
        raise InputError("token: must be printable ASCII without spaces")
    from oneleap.domains.serve.errors import is_local

    if not is_local(host) and not token:
        raise InputError(
            f"host: {host} lets other machines in: set a token, for example {TOKEN}=$(openssl "
            "rand -hex 16) oneleap serve ..."
        )


def listen(host: str, port: int) -> socket.socket:
    """Open the socket of a server.

    Args:
        host: Address.
        port: Port; 0 takes a free one.

    Returns:
        The socket.

    Raises:
        InputError: If the address is wrong or in use.
    """
    if not 0 <= port <= 65535:
        raise InputError(f"port: {port} is not from 0 to 65535")
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        reason = error.strerror or "no such address"
        raise InputError(f"{host} port {port}: {reason}: name another with --port") from None


def load_server(
    voice: list[str] | None, policy: list[str] | None, limits: "Limits", token: str = ""
) -> "Server":
    """Load what is served.

    Args:
        voice: Names or folders of voices, see :func:`serve`.
        policy: Names or folders of policies.
        limits: Limits of requests.
        token: What clients have to send; empty for nothing.

    Returns:
        The server.

    Raises:
        InputError: There is no such voice or policy, or two have one name.
    """
    import torch

    from oneleap.domains.serve.app import Server
    from oneleap.domains.serve.policies import load_served_policy
    from oneleap.domains.serve.speech import MODELS, ServedVoice
    from oneleap.domains.speech.text.voices import DEFAULT_VOICE

    torch.set_num_threads(1)  # as in the workers, so that replies do not depend on the thread
    names = voice or ([] if policy else [DEFAULT_VOICE])
    for option, given in (("voice", names), ("policy", policy or [])):
        short = [Path(name).name for name in given]
        for name in short:
            if short.count(name) > 1 or (option == "policy" and name in MODELS):
                raise InputError(f"{option}: two are named '{name}': rename a folder")
    voices = {Path(name).name: ServedVoice.load(name) for name in names}
    policies = {Path(name).name: load_served_policy(name) for name in policy or []}
    return Server(voices, policies, limits, token)
