"""Speak with exported graphs: ONNX Runtime, numpy and espeak-ng, without torch and oneleap.

    oneleap export voices/mine
    python examples/speak_onnx.py voices/mine "Hello." -o hello.wav

Numbers and abbreviations are read the way espeak-ng reads them. `oneleap speak` knows more.
"""

import argparse
import json
import logging
import re
import time
import unicodedata
import wave
from pathlib import Path

import espeakng_loader
import numpy as np
import onnxruntime
from phonemizer.backend import EspeakBackend
from phonemizer.backend.espeak.wrapper import EspeakWrapper

SAME = {"g": "ɡ", "\u0361": "", "\u035c": "", "ʦ": "ts"}


def phonemes(text: str, language: str) -> str:
    """Convert a text to IPA and keep its punctuation."""
    EspeakWrapper.set_library(espeakng_loader.get_library_path())
    EspeakWrapper.set_data_path(espeakng_loader.get_data_path())
    backend = EspeakBackend(
        language,
        preserve_punctuation=True,
        with_stress=True,
        language_switch="remove-flags",
        logger=logging.getLogger("quiet"),
    )
    ipa = unicodedata.normalize("NFD", backend.phonemize([text], strip=True)[0])
    return "".join(SAME.get(c, c) for c in ipa.replace("c\u0327", "ç"))


class Speaker:
    """A voice as three graphs.

    Args:
        folder: Folder of an exported voice.
    """

    def __init__(self, folder: Path) -> None:
        config = folder / "acoustic" / "config.json"
        config = config if config.is_file() else folder / "config.json"
        spec = json.loads(config.read_text(encoding="utf-8"))["init_args"]["spec"]["init_args"]
        self.symbols, self.language = spec["symbols"], spec["language"]
        self.rate = spec["mel"]["init_args"]["sample_rate"]
        self.graphs = {
            name: onnxruntime.InferenceSession(
                folder / f"{name}.onnx", providers=["CPUExecutionProvider"]
            )
            for name in ("text", "decoder", "vocoder")
        }

    def run(self, name: str, *inputs: np.ndarray) -> np.ndarray:
        """Run one graph."""
        graph = self.graphs[name]
        names = [given.name for given in graph.get_inputs()]
        return graph.run(None, dict(zip(names, inputs, strict=True)))[0]

    def speak(self, ipa: str, speed: float, rng: np.random.Generator) -> np.ndarray:
        """Return the samples of one sentence, on [-1, 1].

        Args:
            ipa: Phonetic text.
            speed: Factor of the tempo; 2 speaks twice as fast.
            rng: Random generator of the noise.
        """
        longest_first = sorted(self.symbols, key=len, reverse=True)
        known = re.findall("|".join(map(re.escape, longest_first)), ipa)
        tokens = np.array([self.symbols.index(c) for c in ("^", *known, "$")])
        text = self.run("text", tokens)
        ends = np.cumsum(np.exp(text[:, -1]) / speed).round().astype(int)
        frames = np.maximum(np.diff(ends, prepend=0), 1)
        means = np.repeat(text[:, :-1], frames, axis=0)
        noise = rng.standard_normal(means.shape, np.float32)
        mel = self.run("decoder", self.group(means), self.group(noise))
        return self.run("vocoder", mel.reshape(-1, means.shape[1])[: len(means)]).ravel()

    def group(self, x: np.ndarray) -> np.ndarray:
        """Put frames in the groups that the decoder sees as one; zeros fill the last group."""
        _, fold, mels = self.graphs["decoder"].get_inputs()[0].shape
        return np.pad(x, ((0, -len(x) % fold), (0, 0))).reshape(-1, fold, mels)


def main() -> None:
    """Speak a text."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder that oneleap export wrote to")
    parser.add_argument("text", help="text to speak")
    parser.add_argument("-o", "--out", type=Path, default=Path("speech.wav"), help="sound file")
    parser.add_argument("--speed", type=float, default=1.0, help="tempo; 2 is twice as fast")
    parser.add_argument("--seed", type=int, default=0, help="seed of the noise")
    given = parser.parse_args()
    speaker, rng = Speaker(given.folder), np.random.default_rng(given.seed)
    start, sounds = time.perf_counter(), list[np.ndarray]()
    for sentence in re.split(r"(?<=[.!?])\s+", given.text.strip()):
        sounds += [speaker.speak(phonemes(sentence, speaker.language), given.speed, rng)]
        sounds += [np.zeros(speaker.rate // 5, np.float32)]
    samples = np.concatenate(sounds[:-1])
    took = time.perf_counter() - start
    with wave.open(str(given.out), "wb") as file:
        file.setparams((1, 2, speaker.rate, 0, "NONE", ""))
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    print(f"{given.out}: {len(samples) / speaker.rate:.1f} s of speech in {took:.2f} s")


if __name__ == "__main__":
    main()
