"""Old names in saved models and configurations of this domain."""

CLASSES: dict[str, str] = {}
"""Old class name to the new path; no class of this domain that files name was renamed."""

ARGUMENTS: dict[str, dict[str, str]] = {}
"""Old class name, or ``*`` for all classes, to old argument names and the new ones."""

OPTIONS = {
    "compose": {
        "--hear": "--target_tags",
        "--words": "--prompt",
    },
}
"""Command to old options and the new ones."""
