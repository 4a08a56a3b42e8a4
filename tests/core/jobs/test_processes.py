"""Jobs run in processes of their own; failures are reported and do not affect the others."""

from pathlib import Path

import pytest

from oneleap.core.errors import InputError
from oneleap.core.jobs.place import Place
from oneleap.core.jobs.processes import Job


def test_failures_have_their_last_line_as_the_reason(tmp_path: Path) -> None:
    code = {
        "good": "print('fine')",
        "bad": "print('first'); raise SystemExit('no such value')",
        "silent": "raise SystemExit(3)",
        "crashed": "import os; os.abort()",
    }
    jobs = {
        name: Job(("-c", text), tmp_path / "logs" / f"{name}.log") for name, text in code.items()
    }
    done: list[str] = []
    failed = Place().run(jobs, done.append)
    assert done == ["good"]
    assert failed.keys() == {"bad", "silent", "crashed"}
    assert failed["bad"] == "no such value"
    assert failed["silent"] == "exit status 3"
    assert (tmp_path / "logs" / "good.log").read_text() == "fine\n"


@pytest.mark.parametrize("wrong", [{"at_once": 0}, {"threads": 0}, {"gpus": 1.0}, {"gpus": -1.0}])
def test_numbers_that_make_no_sense_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"positive|set --ray"):
        Place(**wrong)  # type: ignore[arg-type]
