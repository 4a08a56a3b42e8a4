"""Old names in saved models and configurations of this domain."""

_SCHEDULE = {
    "class_path": "oneleap.core.LinearBetas",
    "init_args": {"steps": 100, "first": 1e-4, "last": 0.06},
}

CLASSES = {
    "Acoustic": "oneleap.domains.singing.AcousticModel",
    "Ancestral": "oneleap.core.DDPMSampler",
    "Aux": "oneleap.domains.singing.AuxDecoderConfig",
    "Consistency": "oneleap.core.ConsistencySampler",
    "ConvNeXt": "oneleap.domains.singing.ConvNeXtConfig",
    "Curves": "oneleap.domains.singing.CurveModel",
    "Durations": "oneleap.domains.singing.DurationModel",
    "Encoder": "oneleap.domains.singing.EncoderConfig",
    "Euler": "oneleap.core.EulerSampler",
    "LYNX": "oneleap.domains.singing.LYNXConfig",
    "Leap": "oneleap.core.FlowMapSampler",
    "PLMS": "oneleap.core.PLMSSampler",
    "Rough": "oneleap.domains.singing.CoarseMelSampler",
    "Singing": "oneleap.domains.singing.SingingData",
    "Wave": "oneleap.domains.singing.WaveNetConfig",
}
"""Old class name to the present class."""

_RECIPE = {
    "compile_loss": "recipe.compile",
    "ema": "recipe.ema",
    "from_teacher": "recipe.from_teacher",
    "optimizer": "recipe.optimizer",
    "seed": "recipe.seed",
    "teacher": "recipe.teacher",
}

ARGUMENTS = {
    "Acoustic": _RECIPE,
    "Ancestral": {"boundary": "start_step"},
    "Curves": _RECIPE,
    "Durations": _RECIPE,
    "PLMS": {"boundary": "start_step"},
}
"""Old class name to old and present names of constructor arguments."""

DEFAULTS = {
    "Ancestral": {"schedule": _SCHEDULE, "clip": None},
    "Euler": {"steps": 20, "depth": 0.6},
    "PLMS": {"schedule": _SCHEDULE},
}
"""Old class name to arguments whose default values differ in the present class."""
