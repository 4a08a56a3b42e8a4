"""``oneleap serve``: who may be let in, and mistakes before the start."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from support import tiny
from support.serve.client import Server

from oneleap.domains.main import main

assert Server  # the extra is installed


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.2", "::", "example.com"])
def test_beyond_this_machine_a_token_is_required(
    host: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ONELEAP_TOKEN", raising=False)
    assert "set a token" in tiny.complain(capsys, f"serve --host {host}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("--port 70000", "port: 70000 is not from 0 to 65535"),
        ("--workers -1", "workers: -1 is not positive"),
        ("--queue 0", "queue: 0 is not positive"),
        ("--voice nobody", "voice: no 'nobody'"),
        ("--policy nothing", "policy: no 'nothing'"),
        ("--voice heart --voice heart", "voice: two are named 'heart'"),
        ("--token 'two words'", "token: must be printable ASCII without spaces"),
        ("--host nowhere.invalid --token a", "nowhere.invalid port"),
    ],
)
def test_a_mistake_is_one_line(line: str, message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert message in tiny.complain(capsys, f"serve --port 0 {line}")


def test_a_port_in_use_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert "in use" in tiny.complain(capsys, f"serve --port {port}")


def test_a_model_that_is_no_policy_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from support.tiny_speech import acoustic

    acoustic().save_pretrained(tmp_path / "voice")
    assert main(["serve", "--port", "0", "--policy", str(tmp_path / "voice")]) == 2
    assert "holds a AcousticModel, not a policy" in capsys.readouterr().err


@pytest.mark.slow
def test_it_serves_until_it_is_interrupted() -> None:
    code = "from oneleap.domains.main import main; raise SystemExit(main())"
    argv = [sys.executable, "-c", code, "serve", "--port", "0", "--policy", "pointmaze-umaze"]
    env = {**os.environ, "ONELEAP_TOKEN": ""}
    with subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        try:
            assert "serves pointmaze-umaze" in line
            with urllib.request.urlopen(f"{line.split()[0]}/health", timeout=20) as reply:
                assert reply.read() == b'{"status":"ok","waiting":0,"running":0}'
        finally:
            process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=30)
    assert process.returncode == 130
    assert rest == ""
