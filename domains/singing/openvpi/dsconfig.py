"""Configuration files of a singer in openvpi's format."""

from typing import Any

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.singing.openvpi.graphs import sampler_depth
from oneleap.domains.singing.voice.singer import Singer


def mel_keys(mel: Mel, channels: int | None = None) -> dict[str, Any]:
    """Describe a spectrogram format with openvpi's keys.

    Args:
        mel: The format.
        channels: Number of channels if voicing follows the bands.

    Returns:
        Values by key.

    Raises:
        InputError: If the spectrogram does not have natural logarithms.
    """
    if mel.log_base != "e":
        raise InputError(
            f"mel.log_base is {mel.log_base}, but openvpi's format needs natural logarithms: "
            "train with log_base e"
        )
    return {
        "sample_rate": mel.sample_rate,
        "hop_size": mel.hop,
        "win_size": mel.window,
        "fft_size": mel.n_fft,
        "num_mel_bins": mel.n_mels if channels is None else channels,
        "mel_fmin": mel.fmin,
        "mel_fmax": mel.fmax,
        "mel_base": "e",
        "mel_scale": mel.scale,
    }


def has_own_phonemes(singer: Singer) -> bool:
    """Whether the duration model knows more phonemes than the acoustic model."""
    return singer.durations.spec.phonemes != singer.acoustic.spec.phonemes


def configuration_files(singer: Singer, name: str) -> dict[str, dict[str, Any]]:
    """Make the contents of all ``.yaml`` files of a singer.

    Args:
        singer: The singer.
        name: Name of the singer, from which the names of the graphs are made.

    Returns:
        Content of each file by its path in the singer's folder.
    """
    acoustic, spec = singer.acoustic, singer.acoustic.spec
    mel = mel_keys(spec.mel, spec.channels)
    depth = sampler_depth(acoustic)
    # No key "speakers": even an empty list makes OpenUtau feed a speaker embedding.
    common = {"use_lang_id": False, "use_continuous_acceleration": True}
    frames = {key: mel[key] for key in ("sample_rate", "hop_size")}
    curves = {f"use_{c}_embed": c in acoustic.curves for c in ("energy", "breathiness")}
    unused = dict.fromkeys(("key_shift", "speed", "voicing", "tension"), False)
    return {
        "dsconfig.yaml": {
            "phonemes": "phonemes.json",
            "acoustic": f"{name}.onnx",
            "hidden_size": acoustic.encoder.width,
            "vocoder": f"{name}-nsf",
            **common,
            **curves,
            **{f"use_{key}_embed": value for key, value in unused.items()},
            "use_variable_depth": depth < 1,
            "max_depth": depth,
            **mel,
        },
        "dsdur/dsconfig.yaml": {
            "phonemes": "phonemes.json" if has_own_phonemes(singer) else "../phonemes.json",
            "linguistic": f"{name}.linguistic.onnx",
            "dur": f"{name}.dur.onnx",
            "predict_dur": True,
            "hidden_size": singer.durations.encoder.width,
            **common,
            **frames,
        },
        "dspitch/dsconfig.yaml": {
            "phonemes": "../phonemes.json",
            "linguistic": f"{name}.linguistic.onnx",
            "pitch": f"{name}.pitch.onnx",
            "predict_dur": False,
            "use_expr": False,
            "use_note_rest": True,
            "hidden_size": singer.pitch.encoder.width,
            **common,
            **frames,
        },
        "dsvocoder/vocoder.yaml": {
            "name": f"{name}-nsf",
            "model": f"{name}-nsf.onnx",
            "pitch_controllable": True,
            "force_on_cpu": False,
            **mel,
        },
    }
