"""The ``.yaml`` files of a voice of openvpi's kind."""

from typing import Any

from oneleap.core.errors import InputError
from oneleap.domains.audio.mel import Mel
from oneleap.domains.singing.openvpi import acoustic_graph as graphs
from oneleap.domains.singing.voice.singer import Singer


def spectrum_keys(mel: Mel) -> dict[str, Any]:
    """The contract in openvpi's words.

    Raises:
        InputError: If the logarithm or the scale has no word there.
    """
    if mel.log_base != "e":
        raise InputError("mel.log_base: openvpi's graphs have natural logarithms: train with e")
    return {
        "sample_rate": mel.sample_rate,
        "hop_size": mel.hop,
        "win_size": mel.window,
        "fft_size": mel.n_fft,
        "num_mel_bins": mel.n_mels,
        "mel_fmin": mel.fmin,
        "mel_fmax": mel.fmax,
        "mel_base": "e",
        "mel_scale": mel.scale,
    }


def configurations(singer: Singer, name: str) -> dict[str, dict[str, Any]]:
    """The ``.yaml`` files of the folder, by path."""
    acoustic, keys = singer.acoustic, spectrum_keys(singer.acoustic.spec.mel)
    depth = graphs.depth_of(acoustic)
    common = {"use_lang_id": False, "use_continuous_acceleration": True, "speakers": []}
    timed = {key: keys[key] for key in ("sample_rate", "hop_size")}
    heeds = {f"use_{c}_embed": c in acoustic.curves for c in ("energy", "breathiness")}
    rest = dict.fromkeys(("key_shift", "speed", "voicing", "tension"), False)
    return {
        "dsconfig.yaml": {
            "phonemes": "phonemes.json",
            "acoustic": f"{name}.onnx",
            "hidden_size": acoustic.encoder.width,
            "vocoder": f"{name}-nsf",
            **common,
            **heeds,
            **{f"use_{key}_embed": value for key, value in rest.items()},
            "use_variable_depth": depth < 1,
            "max_depth": depth,
            **keys,
        },
        "dsdur/dsconfig.yaml": {
            "phonemes": "../phonemes.json",
            "linguistic": f"{name}.linguistic.onnx",
            "dur": f"{name}.dur.onnx",
            "predict_dur": True,
            "hidden_size": singer.durations.encoder.width,
            **common,
            **timed,
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
            **timed,
        },
        "dsvocoder/vocoder.yaml": {
            "name": f"{name}-nsf",
            "model": f"{name}-nsf.onnx",
            "pitch_controllable": True,
            "force_on_cpu": False,
            **keys,
        },
    }
