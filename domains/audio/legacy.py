"""Old names in saved models and configurations of this domain."""

CLASSES = {
    "Clips": "oneleap.domains.audio.AudioData",
    "SungClips": "oneleap.domains.audio.PitchedAudioData",
}
"""Old class name to the present class."""

_TRAINING = {
    "gan_from": "gan_start_step",
    "judge_optimizer": "discriminator_optimizer",
    "start": "init_from",
}

ARGUMENTS = {"VocoderTraining": _TRAINING, "NSFTraining": _TRAINING}
"""Old class name to old and present names of constructor arguments."""
