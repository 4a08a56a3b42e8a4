"""Class names and arguments of earlier versions still work."""

from oneleap.core.hub.legacy import migrate


def test_old_data_modules() -> None:
    for old, new in (("clips.Clips", "AudioData"), ("sung.SungClips", "PitchedAudioData")):
        found = migrate({"class_path": f"oneleap.domains.audio.{old}"})
        assert found["class_path"] == f"oneleap.domains.audio.{new}"


def test_old_arguments_of_vocoder_training() -> None:
    for old, new in (("vocoder", "VocoderTraining"), ("nsf_training", "NSFTraining")):
        given = {"gan_from": 4, "judge_optimizer": {"lr": 0.1}, "start": "v", "ema": 0.9}
        found = migrate({"class_path": f"oneleap.domains.audio.{old}.{new}", "init_args": given})
        assert found["class_path"] == f"oneleap.domains.audio.{new}"
        assert found["init_args"] == {
            "gan_start_step": 4,
            "discriminator_optimizer": {"lr": 0.1},
            "init_from": "v",
            "ema": 0.9,
        }
