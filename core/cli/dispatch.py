"""Functions as commands: the signature defines the options, the docstring the help.

=====================================  =====================================================
parameter                              command line
=====================================  =====================================================
``run: Path``                          a required argument
``text: str | None = None, /``         an optional argument
``steps: int = 1``                     ``--steps 1``
``fast: bool = False``                 ``--fast``
``weight: list[str] | None = None``    ``--weight a --weight b``
``from_: float = 0.0``                 ``--from 0``
``out``, ``file``                      ``--out`` or ``-o``, ``--file`` or ``-f``
=====================================  =====================================================

Hyphens and underscores in option names are equivalent. The docstring has a section ``Args`` and a
line ``Example: oneleap ...``. Two options belong to every command, see
:data:`oneleap.core.hub.trust.USER_OPTIONS`.
"""

import errno
import inspect
import io
import os
import re
import shlex
import sys
import warnings
from argparse import SUPPRESS, ArgumentError
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_type_hints

from oneleap.core.errors import InputError, Notice, check_seed, suggest
from oneleap.core.hub.trust import USER_OPTIONS, about_user_options, user_options
from oneleap.core.outputs import OPTIONS, check_output

if TYPE_CHECKING:
    from jsonargparse import ArgumentParser

DOMAINS = "oneleap.domains."
"""Package of the domains; the name of one follows."""

SHORT = {"out": "-o", "file": "-f"}
"""Options with a short form, the same in all commands."""

DISK_FAULTS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""Errors of writing that are a disk's, even if the library that wrote names no file."""


@dataclass(frozen=True)
class Command:
    """A command that is a function.

    Attributes:
        help: One line for ``oneleap --help``.
        target: ``module:function``; it is imported when the command is called.
    """

    help: str
    target: str


@dataclass(frozen=True)
class Group:
    """A command with subcommands.

    Attributes:
        help: One line for ``oneleap --help``.
        commands: Target of each subcommand by name.
        former: Subcommand that the name of the group alone once meant.
    """

    help: str
    commands: Mapping[str, str]
    former: str = ""


@dataclass(frozen=True)
class ByDomain:
    """A command for a trained model; the function of the model's domain is called.

    Attributes:
        help: One line for ``oneleap --help``.
        domains: Target of each domain by name. The function's first parameter is the path that the
            user named.
        shipped: Where a domain keeps the models that ship, which can be named too: the arguments
            of :func:`oneleap.core.hub.registry.shipped_models`.
        program: Module that is ``oneleap`` as ``python -m``, which runs the command for each of
            several models; empty if it takes one only.
    """

    help: str
    domains: Mapping[str, str]
    shipped: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    program: str = ""


@dataclass(frozen=True)
class Forward:
    """A command that parses its arguments itself.

    Attributes:
        help: One line for ``oneleap --help``.
        target: ``module:function``, called with the command's name and its arguments.
    """

    help: str
    target: str


Commands = Mapping[str, Command | Group | ByDomain | Forward]


def run(commands: Commands, extras: Mapping[str, Sequence[str]], argv: Sequence[str]) -> int:
    """Run one command and return its exit status.

    A mistake of the user is reported in one line, with status 2.

    Args:
        commands: All commands by name.
        extras: Modules that each extra of the package installs.
        argv: Arguments, the command's name first.

    Returns:
        Exit status.
    """
    formatwarning = warnings.formatwarning

    def one_line(
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        line: str | None = None,
    ) -> str:
        if issubclass(category, Notice):
            return f"oneleap: {message}\n"
        return formatwarning(message, category, filename, lineno, line)

    warnings.formatwarning = one_line
    if isinstance(sys.stdout, io.TextIOWrapper):  # the locale may lack letters of what is printed
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        status = _run(commands, extras, *user_options(argv))
        sys.stdout.flush()  # a full disk is told here, not by the interpreter's exit
        return status
    except InputError as error:
        return _fail(str(error))
    except ModuleNotFoundError as error:
        return _fail(_missing(error, extras))
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # for example, oneleap configs | head
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # for example, a read-only folder or a full disk
        if error.filename is None and error.errno not in DISK_FAULTS:
            raise
        return _fail(f"{error.filename or 'output'}: {error.strerror}")
    finally:
        warnings.formatwarning = formatwarning


def _run(
    commands: Commands,
    extras: Mapping[str, Sequence[str]],
    argv: Sequence[str],
    packages: Mapping[str, Sequence[str]],
) -> int:
    if not argv or argv[0] in ("-h", "--help", "help"):
        width = max(map(len, commands)) + 2
        print("usage: oneleap COMMAND ...\n")
        print(*(f"  {name:<{width}}{c.help}" for name, c in commands.items()), sep="\n")
        print("\nFor details: oneleap COMMAND --help\n\nOptions of every command:")
        print(*(f"  --{name} PACKAGE  {text}" for name, text in USER_OPTIONS.items()), sep="\n")
        return 0
    if argv[0] == "--version":
        from importlib.metadata import version

        print(f"oneleap {version('oneleap')}")
        return 0
    name, rest = argv[0], argv[1:]
    if name not in commands:
        raise InputError(f"no command '{name}'{suggest(name, commands)} (oneleap --help)")
    from oneleap.core.hub.trust import current_folder_importable, user_packages

    with current_folder_importable(), user_packages(packages["import"], packages["trusted"]):
        return _call_command(commands[name], extras, name, rest)


def _call_command(
    command: Command | Group | ByDomain | Forward,
    extras: Mapping[str, Sequence[str]],
    name: str,
    rest: Sequence[str],
) -> int:
    """Call the function that a command's name stands for."""
    if isinstance(command, Command):
        return call(command.target, name, rest)
    if isinstance(command, Forward):
        status: int = _load(command.target)(name, rest)
        return status
    if isinstance(command, ByDomain):
        return _by_domain(command, extras, name, rest)
    if not rest or rest[0] in ("-h", "--help"):
        print(f"usage: oneleap {name} {{{','.join(command.commands)}}} ...\n\n  {command.help}")
        return 0 if rest else 2
    if rest[0] not in command.commands:
        if command.former and len(rest) > 1:
            now = shlex.join((name, command.former, *rest))
            raise InputError(f"{name}: has subcommands now: oneleap {now}")
        suggestion = suggest(rest[0], command.commands) or f": {', '.join(command.commands)}"
        raise InputError(f"no command '{name} {rest[0]}'{suggestion}")
    return call(command.commands[rest[0]], f"{name} {rest[0]}", rest[1:])


def _by_domain(
    command: ByDomain, extras: Mapping[str, Sequence[str]], name: str, argv: Sequence[str]
) -> int:
    """Find the domain of the model that a path refers to, and call its function."""
    if argv and argv[0] in ("-h", "--help"):
        for domain, target in command.domains.items():
            print(f"--- models of the domain {domain}")
            try:
                call(target, name, argv)
            except SystemExit:  # argparse exits after printing help
                pass
            except ModuleNotFoundError as error:
                print(_missing(error, extras))
        return 0
    if not argv or argv[0].startswith("-"):
        raise InputError(
            f"name the run first: oneleap {name} runs/CONFIG/TIME (options: oneleap {name} --help)"
        )
    runs = tuple(takewhile(lambda word: not word.startswith("-"), argv))
    if command.program and any(map(_holds_model, runs[1:])):
        from oneleap.core.jobs.several import run_several

        return run_several((command.program, name), runs, argv[len(runs) :])
    from oneleap.core.hub.pretrained import read_config
    from oneleap.core.hub.registry import shipped_models
    from oneleap.core.training.run import find_model

    shipped = {m: domain for domain, at in command.shipped.items() for m in shipped_models(*at)}
    if argv[0] in shipped:
        return call(command.domains[shipped[argv[0]]], name, argv)
    if not Path(argv[0]).exists() and (suggestion := suggest(argv[0], shipped)):
        raise InputError(f"{argv[0]}: no such folder, and no such model ships{suggestion}")
    model = find_model(Path(argv[0])).model
    class_path = read_config(model)["class_path"]
    paths = [class_path] if class_path.startswith(DOMAINS) else _bases(class_path, model)
    domains = [path.removeprefix(DOMAINS).partition(".")[0] for path in paths]
    known = [domain for domain in domains if domain in command.domains]
    if not known:
        raise InputError(f"{model}: no domain of oneleap can {name} a {class_path}")
    return call(command.domains[known[0]], name, argv)


def _holds_model(path: str) -> bool:
    """Whether a word names a model, and no other argument of a command, such as its data."""
    from oneleap.core.training.run import find_model

    try:
        find_model(Path(path))
    except InputError:
        return False
    return True


def _bases(class_path: str, model: Path) -> list[str]:
    """Return the modules of the classes of oneleap's domains that a user's class derives from."""
    from oneleap.core.hub.config import find_class

    bases = find_class(class_path, (), str(model / "config.json")).__mro__
    return [base.__module__ for base in bases if base.__module__.startswith(DOMAINS)]


def call(target: str, name: str, argv: Sequence[str]) -> int:
    """Call a function with arguments from the command line.

    Args:
        target: ``module:function``.
        name: Name of the command, for its help.
        argv: Arguments of the command.

    Returns:
        The function's result, if it is an exit status; else 0.

    Raises:
        InputError: If an argument is wrong, or names an output that cannot be written.
    """
    from oneleap.core.cli.explain import explain

    function = _load(target)
    parser = parser_of(function, name)
    try:
        parsed = parser.parse_args([_with_underscores(a) for a in argv])
    except ArgumentError as error:
        options = parser.get_defaults(skip_validation=True).keys()
        raise InputError(f"{explain(str(error), options)} (oneleap {name} --help)") from None
    values = parser.instantiate(parsed).as_dict()
    if isinstance(values.get("seed"), int):
        check_seed(values["seed"])
    for option in OPTIONS:
        if isinstance(values.get(option), Path):
            check_output(values[option], option)
    positional, named = [], {}
    for parameter in inspect.signature(function).parameters.values():
        value = values[parameter.name.rstrip("_")]
        if parameter.kind is parameter.POSITIONAL_ONLY:
            positional.append(value)
        else:
            named[parameter.name] = value
    result = function(*positional, **named)
    return result if isinstance(result, int) else 0


def parser_of(function: Callable[..., Any], name: str) -> "ArgumentParser":
    """Make the parser of a command from its function.

    Args:
        function: Function with annotated parameters and a docstring in Google style.
        name: Name of the command.

    Returns:
        The parser.
    """
    import docstring_parser
    from jsonargparse import ArgumentParser

    text = docstring_parser.parse(inspect.getdoc(function) or "")
    example = re.search(r"^Example:.+", inspect.getdoc(function) or "", re.MULTILINE)
    descriptions = {p.arg_name: " ".join((p.description or "").split()) for p in text.params}
    parser = ArgumentParser(
        prog=f"oneleap {name}",
        description="\n\n".join(filter(None, (text.short_description, example and example[0]))),
        epilog=about_user_options(),
        exit_on_error=False,
        allow_abbrev=False,
    )
    hints = get_type_hints(function)
    for parameter in inspect.signature(function).parameters.values():
        key, hint = parameter.name.rstrip("_"), hints[parameter.name]
        settings: dict[str, Any] = {"help": descriptions.get(parameter.name, SUPPRESS)}
        required = parameter.default is parameter.empty
        if not required:
            settings["default"] = parameter.default
        if required or parameter.kind is parameter.POSITIONAL_ONLY:
            if not required:
                settings["nargs"] = "?"
            parser.add_argument(key, type=hint, **settings)
            continue
        if hint is bool and parameter.default is False:
            settings["action"] = "store_true"
        elif list[str] in (hint, *get_args(hint)):
            settings |= {"action": "append", "type": str}
        else:
            settings["type"] = hint
        letters = [SHORT[key]] if key in SHORT else []
        parser.add_argument(*letters, f"--{key}", **settings)
    return parser


def _with_underscores(argument: str) -> str:
    """Replace the hyphens of an option's name by underscores; a value is left as it is."""
    name, equals, value = argument[2:].partition("=")
    if not argument.startswith("--") or not re.fullmatch(r"[\w-]+", name):
        return argument
    return f"--{name.replace('-', '_')}{equals}{value}"


def _load(target: str) -> Callable[..., Any]:
    """Import the function ``module:function``."""
    module, _, name = target.partition(":")
    function: Callable[..., Any] = getattr(import_module(module), name)
    return function


def _missing(error: ModuleNotFoundError, extras: Mapping[str, Sequence[str]]) -> str:
    """Say which extra installs a module; if none does, raise the error again."""
    name = str(error.name).partition(".")[0]
    extra = next((extra for extra, modules in extras.items() if name in modules), None)
    if extra is None:
        raise error
    return f"{name} is not installed: pip install 'oneleap[{extra}]'"


def _fail(message: str) -> int:
    print(f"oneleap: {message}", file=sys.stderr)
    return 2
