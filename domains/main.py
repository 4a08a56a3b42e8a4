"""The command ``oneleap``. Nothing heavy is imported before it is known what is asked for."""

import os
import sys
import warnings
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from oneleap.core.errors import InputError, Notice, nearest

FUNCTIONS = {
    "collect pointmaze": "oneleap.domains.rl.commands.collect_pointmaze:pointmaze",
    "collect mujoco": "oneleap.domains.rl.commands.collect_mujoco:mujoco",
    "collect robosuite": "oneleap.domains.robot.commands.collect:robosuite",
    "collect pixels": "oneleap.domains.rl.envs.pointmaze_pixels:pixels",
    "collect singing": "oneleap.domains.singing.commands.collect:singing",
    "collect labels": "oneleap.domains.singing.commands.collect_labels:labels",
    "collect music": "oneleap.domains.music.commands.collect:collect",
    "sweep": "oneleap.domains.rl.commands.sweep:sweep",
    "demo": "oneleap.domains.rl.commands.demo:demo",
    "bench core": "oneleap.core.bench.command:bench",
    "bench rl": "oneleap.domains.rl.commands.bench:bench",
    "bench robot": "oneleap.domains.robot.commands.bench:bench",
    "bench speech": "oneleap.domains.speech.commands.bench:bench",
    "bench music": "oneleap.domains.music.commands.bench:bench",
    "bench singing": "oneleap.domains.singing.commands.bench:bench",
    "voice": "oneleap.domains.speech.commands.speak:pack",
    "singer": "oneleap.domains.singing.commands.sing:pack",
    "boundary": "oneleap.domains.singing.commands.boundary:boundary",
    "composer": "oneleap.domains.music.commands.pack:pack",
}
"""Commands that are plain functions: signature and docstring make the options and the help.

The docstring has a line ``Example: oneleap ...``.
"""

OWN_ARGUMENTS = {
    "speak": "oneleap.domains.speech.commands.speak:main",
    "sing": "oneleap.domains.singing.commands.sing:main",
    "compose": "oneleap.domains.music.commands.compose:main",
}
"""Commands that read their arguments themselves, having short or optional ones."""

EVALUATORS = {
    "music": "oneleap.domains.music.commands.evaluate:evaluate",
    "rl": "oneleap.domains.rl.commands.evaluate:command",
    "robot": "oneleap.domains.robot.commands.evaluate:command",
    "singing": "oneleap.domains.singing.commands.evaluate:command",
    "speech": "oneleap.domains.speech.commands.evaluate:command",
    "audio": "oneleap.domains.audio.commands.evaluate:command",
}
"""How the models of each domain are evaluated; the first argument is the run's folder."""

EXPORTERS = {
    "music": "oneleap.domains.music.commands.export:export",
    "rl": "oneleap.domains.rl.commands.export:export",
    "robot": "oneleap.domains.robot.commands.export:export",
    "singing": "oneleap.domains.singing.commands.export:export",
    "speech": "oneleap.domains.speech.commands.export:export",
    "audio": "oneleap.domains.audio.commands.export:export",
}
"""How they are written as graphs that run without oneleap, likewise."""

OF_RUNS = {"evaluate": EVALUATORS, "export": EXPORTERS}

HELP = {
    "fit": "train a model: oneleap fit --config rl/ofql_pointmaze-umaze",
    "validate": "validation of a checkpoint, by Lightning",
    "test": "test of a checkpoint, by Lightning",
    "predict": "predictions of a checkpoint, by Lightning",
    "collect": "make a dataset in a simulator: oneleap collect pointmaze --maze umaze",
    "evaluate": "score the model of a run: oneleap evaluate runs/CONFIG/TIME",
    "export": "a policy as one ONNX or TorchScript graph: oneleap export runs/CONFIG/TIME",
    "sweep": "train values of a setting, and seeds: oneleap sweep rl/ofql_hopper-medium",
    "speak": "say a text: oneleap speak 'Hello.' -o hello.wav",
    "voice": "an acoustic model and its vocoder in one folder: oneleap voice RUN RUN FOLDER",
    "composer": "a base model, student and vocoder in one folder: oneleap composer RUN RUN RUN OUT",
    "compose": "music under control: oneleap compose --intensity rise -o out.wav",
    "sing": "sing a score: oneleap sing song.musicxml -o song.wav",
    "singer": "the models of a singer in one folder: oneleap singer RUN RUN RUN RUN FOLDER",
    "boundary": "where a diffusion of song may start: oneleap boundary runs/CONFIG/TIME",
    "demo": "collect, train and evaluate a one-step policy, in minutes",
    "bench": "time this machine, or compare all methods: oneleap bench rl",
    "configs": "list the configurations that ship with oneleap",
}

EXTRAS = {
    "rl": ("gymnasium", "gymnasium_robotics", "minari", "mujoco", "h5py", "imageio"),
    "rl-collect": ("stable_baselines3",),
    "robot": ("robosuite", "robomimic"),
    "sweep": ("ray",),
    "speech": ("espeakng_loader", "num2words", "phonemizer"),
    "music": ("mido",),
    "singing": ("defusedxml", "pyopenjtalk"),
    "singing-data": ("music21", "pysinsy"),
    "audio": ("librosa", "numba", "pyworld", "soundfile", "soxr", "torchaudio"),
    "export": ("huggingface_hub", "onnx", "onnxruntime", "onnxscript"),
    "eval": ("faster_whisper", "speechmos"),
}
"""Which extra brings which module."""


_PLACED = warnings.formatwarning


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status: 2 for a mistake of the user, told in a line."""
    argv = sys.argv[1:] if argv is None else list(argv)
    warnings.formatwarning = _warning
    try:
        return _run(argv)
    except InputError as error:
        return _complain(str(error))
    except ModuleNotFoundError as error:
        return _complain(_missing(error))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # oneleap configs | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a folder that cannot be written, a full disk
        if error.filename is None:
            raise
        return _complain(f"{error.filename}: {error.strerror}")


def _run(argv: Sequence[str]) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        print(_help())
        return 0
    if argv[0] == "--version":
        from importlib.metadata import version

        print(f"oneleap {version('oneleap')}")
        return 0
    command, rest = argv[0], argv[1:]
    if command in ("fit", "validate", "test", "predict"):
        import oneleap.core.cli.fit

        oneleap.core.cli.fit.main(command, rest)
        return 0
    if command == "configs":
        return _configs(rest)
    if command in OF_RUNS:
        return _of_run(command, rest)
    if command in OWN_ARGUMENTS:
        module, _, name = OWN_ARGUMENTS[command].partition(":")
        status: int = getattr(import_module(module), name)(rest)
        return status
    if command in FUNCTIONS:
        return _call(FUNCTIONS[command], command, rest)
    subcommands = [name.partition(" ")[2] for name in FUNCTIONS if name.startswith(f"{command} ")]
    if not subcommands:
        raise InputError(f"no command '{command}'{nearest(command, HELP)} (oneleap --help)")
    if not rest or rest[0] in ("-h", "--help"):
        print(f"usage: oneleap {command} {{{','.join(subcommands)}}} ...\n\n  {HELP[command]}")
        return 0 if rest else 2
    if rest[0] not in subcommands:
        close = nearest(rest[0], subcommands) or f": {', '.join(subcommands)}"
        raise InputError(f"no command '{command} {rest[0]}'{close}")
    name = f"{command} {rest[0]}"
    return _call(FUNCTIONS[name], name, rest[1:])


def _help() -> str:
    lines = [f"  {name:<10}{text}" for name, text in HELP.items()]
    return "\n".join(
        ["usage: oneleap COMMAND ...", "", *lines, "", "oneleap COMMAND --help says more."]
    )


def _configs(argv: Sequence[str]) -> int:
    """List the shipped configurations."""
    from oneleap.core.cli.configs import first_line, shipped

    if argv:
        if argv[0] not in ("-h", "--help"):
            raise InputError(f"oneleap configs takes no arguments, not '{argv[0]}'")
        print(f"usage: oneleap configs\n\n{HELP['configs']}\n\nexample:\n  oneleap configs")
        return 0
    known = shipped()
    width = max(map(len, known), default=0)
    for name, path in known.items():
        print(f"{name:<{width}}  {first_line(path)}")
    print("next: oneleap fit --config NAME", file=sys.stderr)
    return 0


def _of_run(command: str, argv: Sequence[str]) -> int:
    """Find the domain of a run's model and leave the rest to it."""
    targets = OF_RUNS[command]
    if not argv or argv[0].startswith("-"):
        if argv and argv[0] in ("-h", "--help"):
            for domain, target in targets.items():
                print(f"--- models of the domain {domain}")
                try:
                    _call(target, command, argv)
                except SystemExit:  # argparse ends the program after its help
                    pass
                except ModuleNotFoundError as error:
                    print(_missing(error))
            return 0
        raise InputError(
            f"name the run first: oneleap {command} runs/CONFIG/TIME (--help: options)"
        )
    from oneleap.core.hub.pretrained import read_config

    run = Path(argv[0])
    if not run.is_dir():
        raise InputError(f"{run}: no such folder; runs lie in runs/CONFIG/TIME")
    model = run if (run / "config.json").is_file() else run / "model"
    if not model.is_dir() and (run / "acoustic").is_dir():
        model = run / "acoustic"  # a voice
    if not model.is_dir():
        raise InputError(
            f"{run} has no model yet: finish it with oneleap fit ... --run {run} --ckpt_path last"
        )
    class_path = read_config(model)["class_path"]
    domain = class_path.removeprefix("oneleap.domains.").partition(".")[0]
    if domain not in targets:
        raise InputError(f"{model}: no domain of oneleap {command}s a {class_path}")
    return _call(targets[domain], command, argv)


def _call(target: str, command: str, argv: Sequence[str]) -> int:
    """Turn a function into a command: arguments from its signature, help from its docstring."""
    import inspect
    import re
    from argparse import ArgumentError

    from jsonargparse import ArgumentParser

    from oneleap.core.cli.explain import explain

    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    example = re.search(r"^Example:.+", inspect.getdoc(function) or "", re.MULTILINE)
    parser = ArgumentParser(
        prog=f"oneleap {command}",
        description=example and example[0],
        exit_on_error=False,
        allow_abbrev=False,
    )
    parser.add_function_arguments(function, as_positional=True)
    try:
        arguments = parser.parse_args(list(argv))
    except ArgumentError as error:
        options = parser.get_defaults(skip_validation=True).keys()
        raise InputError(f"{explain(str(error), options)} (oneleap {command} --help)") from None
    result = function(**parser.instantiate(arguments).as_dict())
    return result if isinstance(result, int) else 0


def _missing(error: ModuleNotFoundError) -> str:
    """Which extra brings a module; raises the error again if none does."""
    name = str(error.name).partition(".")[0]
    extra = next((extra for extra, modules in EXTRAS.items() if name in modules), None)
    if extra is None:
        raise error
    return f"{name} is not installed: pip install 'oneleap[{extra}]'"


def _warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    line: str | None = None,
) -> str:
    """One line of what is ours; the place too of what others warn of."""
    if issubclass(category, Notice):
        return f"oneleap: {message}\n"
    return _PLACED(message, category, filename, lineno, line)


def _complain(message: str) -> int:
    print(f"oneleap: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
