"""The ratios and times that README and the pages of benchmarks claim."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """A claim about speed.

    Attributes:
        domain: Command of ``oneleap bench`` that measures it.
        name: Name of the figure in the JSON of that command.
        title: What it is, as in README.
        unit: ``times``, or another unit.
        target: What the project set itself beforehand.
        at_least: Whether the figure should be at least the target, and else at most.
    """

    domain: str
    name: str
    title: str
    unit: str
    target: float
    at_least: bool = True

    @property
    def key(self) -> str:
        """Name that no other domain's figure has."""
        return f"{self.domain}/{self.name}"

    def met(self, value: float) -> bool:
        """Return whether a value reaches the target."""
        return value >= self.target if self.at_least else value <= self.target

    def readme_row(self, value: float) -> str:
        """Return the row of README's table for a value."""
        return f"| {self.title} | {shown(value)} {self.unit} |"


def shown(value: float) -> str:
    """Write a value with two digits that count, or all digits before the point."""
    return f"{value:.0f}" if abs(value) >= 10 else f"{value:.2g}"


OPTIONS: dict[str, tuple[str, ...]] = {
    "core": ("--budget", "0"),
    "rl": ("--dql", "[5]", "--chunk", "0"),
    "robot": ("--steps", "0"),
    "speech": (),
    "singing": (),
    "music": (),
}
"""Options of the command of each domain: what takes long and is no claim is left out."""

RATIOS = (
    Ratio(
        "core",
        "meanflow_over_fm_step",
        "a step of MeanFlow over flow matching's",
        "times",
        1.8,
        False,
    ),
    Ratio(
        "core", "splitmeanflow_over_fm_step", "a step of SplitMeanFlow over it", "times", 1.5, False
    ),
    Ratio(
        "rl", "dql5_over_ofql_step", "a step of Diffusion-QL (5 calls) over OFQL's", "times", 2.0
    ),
    Ratio("rl", "dql5_over_ofql_action", "an action of Diffusion-QL (5) over OFQL's", "times", 4.0),
    Ratio(
        "robot", "ddpm100_over_dm1_decision", "a decision of DDPM (100) over DM1's", "times", 20.0
    ),
    Ratio("speech", "edm50_over_1step", "speech by EDM (50 calls) over one call", "times", 15.0),
    Ratio("speech", "fm10_over_1step", "speech by flow matching (10) over one call", "times", 8.0),
    Ratio("speech", "speak_rtf_1step", "speech, text to sound", "s per s", 0.012, False),
    Ratio("singing", "flow20_over_1step", "song by a flow (20 calls) over one call", "times", 10.0),
    Ratio("singing", "ddpm100_over_1step", "song by DDPM (100) over one call", "times", 40.0),
    Ratio("singing", "sing_rtf_1step", "song, score to sound", "s per s", 0.05, False),
    Ratio("music", "ditto_over_ditto2", "music by DITTO over DITTO-2", "times", 10.0),
    Ratio("music", "ditto2_seconds_6s", "six seconds by DITTO-2", "s", 6.0, False),
)
"""All claims. A number in brackets is that of network calls."""
