"""Text, tables, JSON and YAML from files that others made."""

import csv
import io
import json
import os
import sys
from pathlib import Path
from typing import Any

from oneleap.core.errors import InputError
from oneleap.core.reading.guard import reading

LARGEST_YAML = 1 << 20
"""Bytes of the largest configuration in YAML; its parser is slow."""

MOST_NODES = 100_000
"""Nodes of the largest configuration in YAML, with all aliases written out."""


def read_text(path: str | os.PathLike[str], encoding: str = "utf-8-sig") -> str:
    """Read a text file; a mark at its beginning is left out.

    Raises:
        InputError: If it cannot be read, or is no UTF-8.
    """
    try:
        with reading(path, "text"):
            return Path(path).read_text(encoding=encoding)
    except InputError as error:
        if "codec" in str(error):
            raise InputError(f"{path}: is not UTF-8 text") from None
        raise


def read_standard_input() -> str:
    """Read standard input as UTF-8, whatever the locale says.

    Raises:
        InputError: If it is no UTF-8.
    """
    stream = getattr(sys.stdin, "buffer", None)
    if stream is None:  # a stream of text
        return sys.stdin.read()
    try:
        text: str = stream.read().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError("standard input: is not UTF-8 text") from None
    return text


def as_utf8(argument: str) -> str:
    """Return the text of a command-line argument, which another locale may have decoded.

    Raises:
        InputError: If it is no UTF-8.
    """
    if not any("\udc80" <= c <= "\udcff" for c in argument):
        return argument
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeError:
        raise InputError("the text is not UTF-8") from None


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON file.

    Raises:
        InputError: If it cannot be read, or is no JSON.
    """
    text = read_text(path)
    with reading(path, "JSON"):
        return json.loads(text)


def read_rows(path: str | os.PathLike[str]) -> list[list[str]]:
    """Read the rows of a table with commas; empty ones are left out.

    Raises:
        InputError: If it cannot be read.
    """
    text = read_text(path)
    if "\0" in text:
        raise InputError(f"{path}: is not a table: it holds bytes of zero")
    with reading(path, "a table"):
        return [row for row in csv.reader(io.StringIO(text, newline="")) if row]


def read_yaml(path: str | os.PathLike[str]) -> Any:
    """Read a YAML file; see :func:`parse_yaml`."""
    return parse_yaml(read_text(path), path)


def parse_yaml(text: str, where: str | os.PathLike[str]) -> Any:
    """Parse YAML whose aliases do not multiply.

    A few lines of aliases can stand for billions of values, which take forever to walk through, and
    an alias of itself never ends.

    Args:
        text: The YAML.
        where: Where it is from, for the message.

    Returns:
        Plain values.

    Raises:
        InputError: If it is no YAML, has a NUL character, or is too large with its aliases written
            out.
    """
    import yaml

    if len(text) > LARGEST_YAML:
        raise InputError(f"{where}: has {len(text)} characters, too many for a configuration")
    with reading(where, "YAML"):
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return None
            if _nodes(node, {}) > MOST_NODES:
                raise InputError(f"{where}: its aliases stand for more than {MOST_NODES} values")
            return loader.construct_document(node)
        finally:
            loader.dispose()


def _nodes(node: Any, known: dict[int, int]) -> int:
    """Count the nodes below a node of YAML, with aliases written out; 0 marks those above it.

    Raises:
        ValueError: If an alias stands for itself, or a text has a NUL, which no name may have.
    """
    if id(node) in known:
        if not known[id(node)]:
            raise ValueError("an alias of itself")
        return known[id(node)]
    if isinstance(node.value, str) and "\0" in node.value:
        raise ValueError(f"line {node.start_mark.line + 1} has a NUL character")
    known[id(node)] = 0
    value = node.value if isinstance(node.value, list) else ()
    inner = (each for item in value for each in (item if isinstance(item, tuple) else (item,)))
    known[id(node)] = 1 + sum(_nodes(each, known) for each in inner)
    return known[id(node)]
