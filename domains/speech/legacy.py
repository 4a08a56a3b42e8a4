"""Old names in saved models and configurations of this domain."""

CLASSES = {
    "Acoustic": "oneleap.domains.speech.AcousticModel",
    "ConvNeXt": "oneleap.domains.speech.ConvNeXtConfig",
    "DiT": "oneleap.domains.speech.DiTConfig",
    "Lean": "oneleap.domains.speech.SpeakerMix",
    "Speech": "oneleap.domains.speech.SpeechData",
    "Text": "oneleap.domains.speech.TextEncoderConfig",
    "UNet": "oneleap.domains.speech.UNetConfig",
}
"""Old class name to the present class."""

ARGUMENTS = {
    "Acoustic": {
        "leans": "speaker_mixes",
        "optimizer": "recipe.optimizer",
        "ema": "recipe.ema",
        "seed": "recipe.seed",
        "compile_loss": "recipe.compile",
        "teacher": "recipe.teacher",
        "from_teacher": "recipe.from_teacher",
    },
    "Lean": {"to": "other", "share": "weight"},
}
"""Old class name to old and present names of constructor arguments."""

ITEMS = {"leans": "Lean"}
"""Old class name of the plain items of a list, by the list argument's old name."""
