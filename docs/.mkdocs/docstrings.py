"""Docstrings as Markdown: roles become code, tables of reStructuredText become verbatim blocks."""

import re

import griffe

ROLE = re.compile(r":(?:class|func|meth|mod|data|attr|exc):`~?([^`]+)`")
RULE = re.compile(r"^\s*=+(?: +=+)+\s*$")


def markdown(text: str) -> str:
    """Translate what Markdown would show as it is written."""
    lines = ROLE.sub(r"`\1`", text).splitlines()
    rules = [i for i, line in enumerate(lines) if RULE.match(line)]
    for first, last in reversed(list(zip(rules[::3], rules[2::3], strict=False))):
        indent = lines[first][: len(lines[first]) - len(lines[first].lstrip())]
        lines[first : last + 1] = [f"{indent}```text", *lines[first : last + 1], f"{indent}```"]
    return "\n".join(lines)


class Docstrings(griffe.Extension):
    """Translates each docstring when it is loaded."""

    def on_instance(self, *, obj: griffe.Object, **kwargs: object) -> None:
        """See griffe."""
        if obj.docstring is not None:
            obj.docstring.value = markdown(obj.docstring.value)
