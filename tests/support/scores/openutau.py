"""What OpenUtau asks of a singer's folder, by the rules of its loader."""

import json
from pathlib import Path
from typing import Any

import yaml

NUMBERS = (
    "sample_rate",
    "hop_size",
    "win_size",
    "fft_size",
    "num_mel_bins",
    "mel_fmin",
    "mel_fmax",
)


def load(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
    return found


def check_dictionary(values: dict[str, Any], tokens: dict[str, int]) -> dict[str, list[str]]:
    """Check a ``dsdict.yaml``, and return the phonemes of each lyric as OpenUtau looks it up."""
    kinds = {row["symbol"]: row["type"] for row in values["symbols"]}
    assert all(isinstance(symbol, str) for symbol in kinds)
    assert set(tokens) - {"<PAD>"} <= set(kinds)  # the pitch model refuses phonemes without a kind
    assert kinds["SP"] == kinds["AP"] == "vowel"
    found: dict[str, list[str]] = {}
    for row in values["entries"]:
        assert isinstance(row["grapheme"], str)
        assert row["phonemes"]
        assert all(p in kinds and p in tokens for p in row["phonemes"])
        assert any(kinds[p] == "vowel" for p in row["phonemes"])  # else nothing is on the beat
        found[row["grapheme"]] = row["phonemes"]
    return found


def check_singer(folder: Path) -> None:
    """Check the files that OpenUtau reads before it sings."""
    lines = (folder / "character.txt").read_text(encoding="utf-8").splitlines()
    assert any(line.split("=", 1)[0].lower() == "name" and line.split("=", 1)[1] for line in lines)
    character = load(folder / "character.yaml")
    assert character["singer_type"] == "diffsinger"
    assert character["text_file_encoding"] == "utf-8"
    assert character["default_phonemizer"].startswith("OpenUtau.Core.DiffSinger.")
    for room, models in (
        (".", ("acoustic",)),
        ("dsdur", ("linguistic", "dur")),
        ("dspitch", ("linguistic", "pitch")),
    ):
        config = load(folder / room / "dsconfig.yaml")
        tokens = json.loads((folder / room / config["phonemes"]).read_text(encoding="utf-8"))
        assert tokens["SP"] > 0
        assert sorted(tokens.values()) == list(range(len(tokens)))
        for model in models:
            assert (folder / room / config[model]).is_file()
        assert "speakers" not in config  # if it is there, a speaker embedding is an input
        assert config["use_continuous_acceleration"] is True
        assert isinstance(config["hop_size"], int)
        assert isinstance(config["sample_rate"], int)
        if room != ".":
            check_dictionary(load(folder / room / "dsdict.yaml"), tokens)
    acoustic, vocoder = load(folder / "dsconfig.yaml"), load(folder / "dsvocoder/vocoder.yaml")
    assert (folder / "dsvocoder" / vocoder["model"]).is_file()
    for key in (*NUMBERS, "mel_base", "mel_scale"):
        assert acoustic[key] == vocoder[key]
    assert 0 <= acoustic["max_depth"] <= 1
