"""Old names in saved models and configurations; see :class:`oneleap.core.hub.legacy.Tables`."""

CLASSES = {
    "DiT": "oneleap.domains.music.DiTConfig",
    "Music": "oneleap.domains.music.MusicData",
    "UNet": "oneleap.domains.music.UNetConfig",
}
"""Old class name to the present class."""

ARGUMENTS = {
    "MusicModel": {
        "optimizer": "recipe.optimizer",
        "ema": "recipe.ema",
        "seed": "recipe.seed",
        "compile_loss": "recipe.compile",
        "teacher": "recipe.teacher",
        "from_teacher": "recipe.from_teacher",
    },
}
"""Old class name to old and present names of constructor arguments."""
