"""``oneleap studio``: a web page on this machine to try what ships."""

import os
import socket
import sys

from oneleap.core.errors import InputError


def studio(host: str = "127.0.0.1", port: int = 7860, seed: int = 0) -> None:
    """Open a web page that speaks, sings, composes, acts and compares.

    Example: oneleap studio --port 7860

    Args:
        host: Address to listen at. By default only this machine can open the page; 0.0.0.0 lets
            everyone in who reaches this machine, without a password.
        port: Port to listen at.
        seed: Seed that the tabs begin with.

    Raises:
        InputError: If the port is out of range or in use, or the address is not this machine's.
    """
    if not 1 <= port <= 65535:
        raise InputError(f"port: must be from 1 to 65535, not {port}")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"  # gradio also reads it when it is imported
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family)
    except OSError as error:
        raise InputError(
            f"port: {host}:{port} cannot be opened ({error.strerror}): name another with --port"
        ) from None
    with listener:
        from oneleap.domains.studio.app import build, serve

        page = build(seed)
        shown = f"[{host}]" if ":" in host else host
        print(f"studio: http://{shown}:{port}/ (Ctrl-C ends it)", file=sys.stderr, flush=True)
        serve(page, listener)
