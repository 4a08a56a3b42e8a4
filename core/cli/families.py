"""Classes that a configuration may name by their public name."""

from jsonargparse import set_parsing_settings

from oneleap import core
from oneleap.core.paths.times import TimePairs


def enable_families() -> None:
    """Let a configuration say ``pairs: GapPairs``; jsonargparse refuses that of dataclasses.

    Settings that the default law has, too, keep its values unless they are named. All public names
    of the core are imported, because jsonargparse finds the short name of imported classes only.

    Call it before the first parser is made: jsonargparse keeps the parsers of classes, and
    those of before and after write the same settings in two forms, which cannot be merged.
    """
    set_parsing_settings(subclasses_enabled=[TimePairs])
    for name in core.__all__:
        getattr(core, name)
