"""The command ``oneleap``: a table of what it can do; see :mod:`oneleap.core.cli.dispatch`."""

import sys
from collections.abc import Sequence

from oneleap.core.cli.dispatch import ByDomain, Command, Commands, Forward, Group, run
from oneleap.domains.extras import EXTRAS

SHIPPED = {
    "rl": ("oneleap.domains.rl", "policies", ""),
    "speech": ("oneleap.domains.speech", "voices", "acoustic"),
}
"""Where the models lie that commands on a model take by name."""

COMMANDS: Commands = {
    "demo": Command(
        "train a policy, speak, sing and compose, in minutes; writes a report",
        "oneleap.domains.demo.command:demo",
    ),
    "studio": Command(
        "open a web page that speaks, sings, composes and acts: oneleap studio --port 7860",
        "oneleap.domains.studio.command:studio",
    ),
    "fit": Forward(
        "train a model: oneleap fit --config rl/ofql_pointmaze-umaze", "oneleap.core.cli.fit:main"
    ),
    "validate": Forward("validate a checkpoint with Lightning", "oneleap.core.cli.fit:main"),
    "test": Forward("test a checkpoint with Lightning", "oneleap.core.cli.fit:main"),
    "predict": Forward("predict with a checkpoint, with Lightning", "oneleap.core.cli.fit:main"),
    "evaluate": ByDomain(
        "score a trained model: oneleap evaluate runs/CONFIG/TIME",
        {
            domain: f"oneleap.domains.{domain}.commands.evaluate:evaluate"
            for domain in ("rl", "robot", "speech", "singing", "music", "audio")
        },
        SHIPPED,
        "oneleap.domains.main",
    ),
    "export": ByDomain(
        "write a model as ONNX or torch.export graphs: oneleap export runs/CONFIG/TIME",
        {
            domain: f"oneleap.domains.{domain}.commands.export:export"
            for domain in ("rl", "robot", "speech", "singing", "music", "audio")
        },
        SHIPPED,
    ),
    "speak": Command(
        "say a text: oneleap speak 'Hello.' -o hello.wav",
        "oneleap.domains.speech.commands.speak:speak",
    ),
    "sing": Command(
        "sing a score: oneleap sing song.musicxml -o song.wav",
        "oneleap.domains.singing.commands.sing:sing",
    ),
    "compose": Command(
        "make music under control: oneleap compose --intensity rise -o out.wav",
        "oneleap.domains.music.commands.compose:compose",
    ),
    "voices": Command(
        "list the voices that ship with oneleap", "oneleap.domains.speech.commands.voices:voices"
    ),
    "voice": Group(
        "make a voice: oneleap voice clone my_recordings --from heart -o my_voice",
        {
            "clone": "oneleap.domains.speech.commands.clone:clone",
            "pack": "oneleap.domains.speech.commands.pack:pack",
        },
        former="pack",
    ),
    "singer": Command(
        "pack the models of a singer into one folder",
        "oneleap.domains.singing.commands.pack:pack",
    ),
    "composer": Command(
        "pack a base model, its student and a vocoder into one folder",
        "oneleap.domains.music.commands.pack:pack",
    ),
    "boundary": Command(
        "find the step at which a diffusion of song may start",
        "oneleap.domains.singing.commands.boundary:boundary",
    ),
    "collect": Group(
        "make a dataset: oneleap collect pointmaze --maze umaze",
        {
            "pointmaze": "oneleap.domains.rl.commands.collect_pointmaze:pointmaze",
            "mujoco": "oneleap.domains.rl.commands.collect_mujoco:mujoco",
            "pixels": "oneleap.domains.rl.commands.collect_pixels:pixels",
            "ogbench": "oneleap.domains.rl.commands.collect_ogbench:ogbench",
            "adroit": "oneleap.domains.rl.commands.collect_steps:adroit",
            "random": "oneleap.domains.rl.commands.collect_steps:random",
            "robosuite": "oneleap.domains.robot.commands.collect:robosuite",
            "singing": "oneleap.domains.singing.commands.collect:singing",
            "labels": "oneleap.domains.singing.commands.collect_labels:labels",
            "speech": "oneleap.domains.speech.commands.collect:speech",
            "music": "oneleap.domains.music.commands.collect:music",
        },
    ),
    "sweep": Command(
        "train over values of a setting, and over seeds: oneleap sweep rl/ofql_hopper-medium",
        "oneleap.domains.rl.commands.sweep:sweep",
    ),
    "bench": Group(
        "time this machine, or compare all methods: oneleap bench rl",
        {
            "all": "oneleap.domains.bench.command:bench_all",
            "core": "oneleap.core.bench.command:bench",
            "startup": "oneleap.core.bench.startup:bench",
            "rl": "oneleap.domains.rl.commands.bench:bench",
            "robot": "oneleap.domains.robot.commands.bench:bench",
            "speech": "oneleap.domains.speech.commands.bench:bench",
            "voices": "oneleap.domains.speech.commands.bench_voices:voices",
            "singing": "oneleap.domains.singing.commands.bench:bench",
            "songs": "oneleap.domains.singing.commands.bench_songs:songs",
            "music": "oneleap.domains.music.commands.bench:bench",
        },
    ),
    "average": Command(
        "choose the length of a run's moving average afterwards",
        "oneleap.core.cli.average:average",
    ),
    "pairs": Command(
        "store pairs of noise and data that a trained model makes: oneleap pairs runs/flow",
        "oneleap.core.cli.pairs:pairs",
    ),
    "serve": Command(
        "serve voices and policies over HTTP: oneleap serve --voice heart",
        "oneleap.domains.serve.command:serve",
    ),
    "report": Command(
        "write one page about a run or a model: oneleap report runs/CONFIG/TIME",
        "oneleap.domains.report.command:report",
    ),
    "doctor": Command(
        "say what is installed, what is missing, and how to mend it",
        "oneleap.domains.doctor.command:doctor",
    ),
    "configs": Command(
        "list the configurations that ship with oneleap", "oneleap.core.cli.configs:configs"
    ),
    "methods": Command(
        "list the training objectives, and what each needs", "oneleap.core.cli.methods:methods"
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 2 for a user's mistake, told in one line."""
    return run(COMMANDS, EXTRAS, sys.argv[1:] if argv is None else list(argv))


if __name__ == "__main__":
    sys.exit(main())
