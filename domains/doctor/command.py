"""``oneleap doctor``: what is installed, what is missing, and the commands that mend it."""

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from oneleap.domains.doctor.findings import Finding

MARKS = {"ok": "ok", "note": "note", "missing": "missing", "broken": "BROKEN"}
"""What is printed for each state."""


def doctor(json: bool = False, measure: bool = False) -> int:
    """Say what is installed and what is missing, and print the commands that mend it.

    The exit status is 0 if everything that oneleap needs is there, and 1 otherwise. Extras are not
    needed.

    Example: oneleap doctor --measure

    Args:
        json: Print the findings as JSON.
        measure: Also import torch in a child process, and time a product of matrices. On an AMD
            processor with AVX-512, time it at full width as well.
    """
    from oneleap.domains.doctor.machine import examine_machine
    from oneleap.domains.doctor.models import examine_models
    from oneleap.domains.doctor.packages import examine_packages

    findings = [*examine_packages(), *examine_machine(), *examine_models()]
    if measure:
        from oneleap.domains.doctor.measure import examine_speed

        findings += examine_speed()
    healthy = not any(finding.state == "broken" for finding in findings)
    if json:
        from dataclasses import asdict
        from json import dumps

        print(dumps({"healthy": healthy, "findings": [asdict(f) for f in findings]}, indent=2))
    else:
        _print(findings)
        verdict = "something needed is missing"
        if healthy:
            verdict = "all that is needed is there; an extra is needed for its own commands only"
        print(f"\n{verdict}", file=sys.stderr)
    return 0 if healthy else 1


def _print(findings: "Sequence[Finding]") -> None:
    """Print a line for each finding, and below it the commands that mend it."""
    width = max(len(finding.name) for finding in findings)
    marks = max(map(len, MARKS.values()))
    for finding in findings:
        print(f"{MARKS[finding.state]:<{marks}}  {finding.name:<{width}}  {finding.text}")
        if finding.mend:
            print(f"{'':<{marks}}  {'':<{width}}  mend: {finding.mend}")
    sys.stdout.flush()  # the verdict comes last, also in a file of both streams
