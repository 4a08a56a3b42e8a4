"""Public names of the core are short names in configurations, in a process that is new."""

import subprocess
import sys


def test_every_public_class_of_the_core_is_found_by_its_name() -> None:
    code = (
        "import sys, oneleap.core.cli.fit\n"
        "wanted = {'losses.spectral', 'losses.features', 'objectives.pairing.nct',\n"
        "          'training.averages.snapshots', 'sampling.search'}\n"
        "missing = {m for m in wanted if f'oneleap.core.{m}' not in sys.modules}\n"
        "assert not missing, missing"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
