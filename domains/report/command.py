"""``oneleap report``: one page about a run or a model."""

from pathlib import Path
from typing import TYPE_CHECKING

from oneleap.core.errors import InputError, suggest

if TYPE_CHECKING:
    from oneleap.domains.report.sections import Reported

SHIPPED = {
    "speech": ("voices", "acoustic"),
    "singing": ("voices", "acoustic"),
    "music": ("composers", "base"),
    "rl": ("policies", ""),
}
"""Where the models that ship lie: folder of the domain, and the model that names the kind."""

PAGE = "report.html"


def report(
    run: Path,
    out: Path | None = None,
    text: str | None = None,
    score: Path | None = None,
    seed: int = 0,
) -> None:
    """Write one HTML page about a run or a model; it needs no other file and no network.

    It holds the card of a model that ships, the results of ``oneleap evaluate`` with their pictures
    and videos, the learning curves, a sound of models that speak, sing or compose, the versions,
    the configuration, and the commands that make all of it again.

    Example: oneleap report runs/rl/ofql_pointmaze-umaze/0

    Args:
        run: Folder of a run, of a model or of a packed model, or name of a model that ships.
        out: Page to write; by default report.html in the folder of the run, and report/NAME.html
            for a model that ships.
        text: What a voice says; by default its sample sentence.
        score: What a singer sings; by default a folk song in its language.
        seed: Seed of the noise.

    Raises:
        InputError: There is no model in ``run``, or a file of it is damaged.
    """
    from oneleap.core.outputs import check_output
    from oneleap.core.report import size_text, write_page
    from oneleap.domains.report import sections
    from oneleap.domains.report.sounds import sounds

    found, shipped = find_reported(run)
    page = out or (Path("report", f"{run.name}.html") if shipped else found.home / PAGE)
    check_output(page)
    words: list[object] = ["report", run]
    for name, value in (("out", out), ("text", text), ("score", score), ("seed", seed or None)):
        words += [] if value is None else [f"--{name}", value]
    class_path = sections.class_of(found)
    parts = [
        sections.about(found, class_path),
        *sections.card(found),
        *sections.results(found),
        *sounds(found, text, score, seed),
        *sections.media(found.evaluation),
        *(sections.curves(found.run) if found.run is not None else []),
        sections.reproduction(found, words),
        sections.environment(found),
        sections.configuration(found),
    ]
    write_page(page, f"{class_path.rpartition('.')[2]}: {run.name}", parts)
    print(f"report: {page} ({size_text(page)})")


def find_reported(run: Path) -> "tuple[Reported, bool]":
    """Find a model by its folder, or by the name of one that ships.

    Args:
        run: Folder or name.

    Returns:
        The model, and whether it ships.

    Raises:
        InputError: If there is none.
    """
    from oneleap.core.hub.registry import shipped_models
    from oneleap.core.training.run import find_model
    from oneleap.domains.report.sections import Reported

    known = {
        name: (folder, part)
        for domain, (at, part) in SHIPPED.items()
        for name, folder in shipped_models(f"oneleap.domains.{domain}", at, part).items()
    }
    if str(run) in known:
        folder, part = known[str(run)]
        return Reported(folder / part, None, folder, Path("evaluation", run.name), run.name), True
    if not run.exists():
        suggestion = suggest(str(run), known) or f": these do: {', '.join(sorted(known))}"
        raise InputError(f"{run}: no such folder, and no such model ships{suggestion}")
    found = find_model(run)
    home = run if found.run is None else found.run
    return Reported(found.model, found.run, home, home, str(run)), False
