"""Curves of loudness that have names; data only."""

QUIET_DB, LOUD_DB = -34.0, -16.0
"""Lowest and highest level of the presets in dB relative to full scale.

In music whose peaks are near full scale, about a tenth of the frames is below the first level,
and about a tenth is above the second.
"""

PRESETS = {
    "rise": (0.0, 1.0),
    "fall": (1.0, 0.0),
    "hill": (0.0, 1.0, 0.0),
    "valley": (1.0, 0.0, 1.0),
    "flat": (0.7, 0.7),
    "loud": (1.0, 1.0),
    "quiet": (0.0, 0.0),
    "late": (0.0, 0.0, 1.0),
    "early": (1.0, 0.0, 0.0),
    "waves": (0.0, 1.0, 0.0, 1.0, 0.0),
}
"""Curves of loudness: levels from 0 (quiet) to 1 (loud) at equal distances, joined by lines."""
