"""Commands run in processes of their own; failures are reported and do not affect the others."""

import sys
from pathlib import Path

from oneleap.domains.rl.commands.processes import run_processes


def test_failures_have_their_last_line_as_the_reason(tmp_path: Path) -> None:
    python = [sys.executable, "-c"]
    commands = {
        "good": [*python, "print('fine')"],
        "bad": [*python, "print('first'); raise SystemExit('no such value')"],
        "silent": [*python, "raise SystemExit(3)"],
        "crashed": [*python, "import os; os.abort()"],
    }
    done: list[str] = []
    failed = run_processes(commands, 2, tmp_path / "logs", done.append)
    assert done == ["good"]
    assert failed.keys() == {"bad", "silent", "crashed"}
    assert failed["bad"] == "no such value"
    assert failed["silent"] == "exit status 3"
    assert (tmp_path / "logs" / "good.log").read_text() == "fine\n"
