"""jsonargparse's complaints become one line; the messages are those of the installed version."""

import subprocess
import sys
from argparse import ArgumentError

import pytest
from jsonargparse import ArgumentParser

from oneleap.core.cli.explain import explain, original_error
from oneleap.core.objectives import MeanFlow, SplitMeanFlow
from oneleap.core.training.optim import AdamConfig
from oneleap.core.types import Objective

ADAM = AdamConfig()


class Model:
    """Stands for a model."""

    def __init__(self, objective: Objective, size: int, optimizer: AdamConfig = ADAM) -> None:
        self.objective, self.size, self.optimizer = objective, size, optimizer


def complain(*argv: str) -> str:
    parser = ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_subclass_arguments(Model, "model", required=True)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--clip", type=float | None)
    with pytest.raises(ArgumentError) as caught:
        parser.parse_args([f"--model={__name__}.Model", *argv])
    return explain(str(caught.value), parser.get_defaults(skip_validation=True).keys())


OBJECTIVE, SIZE = "--model.objective=MeanFlow", "--model.size=3"


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--stps=3"], "no option 'stps'; did you mean 'steps'?"),
        (["--steps=three"], "steps: expected int, not 'three'"),
        (["--clip=hard"], "clip: expected float, not 'hard'"),
        ([OBJECTIVE], "model: size is missing"),
        ([OBJECTIVE, "--model.siz=3"], "no option 'model.siz'; did you mean 'model.size'?"),
        ([OBJECTIVE, "--model.size=big"], "model.size: expected int, not 'big'"),
        (
            ["--model.objective=MenFlow"],
            "model.objective: no class 'MenFlow'; did you mean 'MeanFlow'?",
        ),
        (
            [OBJECTIVE, SIZE, "--model.optimizer.lrr=1"],
            "no option 'model.optimizer.lrr'; did you mean 'model.optimizer.lr'?",
        ),
        (
            [OBJECTIVE, SIZE, "--model.optimizer.lr=fast"],
            "model.optimizer.lr: expected float, not 'fast'",
        ),
        (
            [OBJECTIVE, SIZE, "--model.objective.p_equal=1"],
            "no option 'model.objective.p_equal'; did you mean 'model.objective.pairs.p_equal'?",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_one_line(argv: list[str], line: str) -> None:
    assert complain(*argv) == line


def test_choices() -> None:
    message = "Parser key \"maze\":\n  Expected a typing.Literal['umaze', 'large']. Got value: umze"
    assert explain(message) == "maze: expected umaze or large, not 'umze'; did you mean 'umaze'?"


def test_choices_of_several_types_name_the_value() -> None:
    message = (
        'Parser key "precision":\n  Errors:\n    - Expected a typing.Literal[64, 32]\n'
        "    - Expected a typing.Literal['bf16']\n  Given value type: <class 'str'>\n"
        "  Given value: 8"
    )
    assert explain(message) == "precision: expected 64 or 32 or bf16, not '8'"


def test_what_is_not_understood_is_passed_on() -> None:
    assert explain("something new") == "something new"
    assert "\n" not in explain("Problems parsing config: here\n  and there\n  line 3")


def test_an_error_of_a_constructor_is_found_again() -> None:
    wrapped = ValueError("Does not validate against any of the Union subtypes\nSubtypes: ...")
    wrapped.__cause__ = mine = KeyError("mine")
    mine.__cause__ = OSError("beneath")
    assert original_error(wrapped) is mine
    assert original_error(mine) is mine


def test_bare_names_are_those_of_the_core() -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--objective", type=Objective)
    made = parser.instantiate(parser.parse_args(["--objective=SplitMeanFlow"]))
    assert made.objective == SplitMeanFlow()
    assert made.objective != MeanFlow()


def test_public_names_are_known_before_they_are_imported() -> None:
    code = (
        "import sys, oneleap.core\n"
        "from oneleap.core.cli.explain import explain\n"
        "print(explain(\"module 'oneleap.core' has no attribute 'WaveNte'\"))\n"
        "assert 'oneleap.core.nets' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, text=True, capture_output=True)
    assert done.stdout == "no class 'WaveNte'; did you mean 'WaveNet'?\n"


def test_a_list_is_shown_as_it_is_typed() -> None:
    message = "Parser key \"data.path\":\n  Expected a <class 'tuple'>. Got value: songs"
    assert explain(message) == "data.path: expected a list such as '[songs]', not 'songs'"
