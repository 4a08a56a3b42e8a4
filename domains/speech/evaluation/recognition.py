"""Word error rates of what a recognizer hears."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from oneleap.domains.audio.evaluation.recognition import Recognizer as Recognizer
from oneleap.domains.speech.text.normalize import normalize


def normalize_words(text: str, language: str = "en-us") -> list[str]:
    """Split a text into words in lower case, with numbers in words and without punctuation."""
    plain = normalize(text.replace("-", " "), language).lower().replace("’", "'")
    return "".join(c if c.isalnum() or c == "'" else " " for c in plain).split()


@dataclass(frozen=True)
class WordErrorRate:
    """Word error rate over several sentences.

    Attributes:
        rate: Number of errors divided by the number of reference words.
        low: Lower end of the 95 % bootstrap interval over sentences.
        high: Upper end of the interval.
    """

    rate: float
    low: float
    high: float


def word_error_rate(
    references: Sequence[str], hypotheses: Sequence[str], language: str = "en-us"
) -> WordErrorRate:
    """Compare recognized texts with what was said.

    Errors are substitutions, deletions and insertions of words, counted by jiwer. The bootstrap
    has 1000 draws with a fixed seed.

    Args:
        references: Texts that were said.
        hypotheses: Texts that were recognized.
        language: Language of espeak-ng, for numbers.

    Returns:
        The rate with its interval.
    """
    import jiwer

    errors, totals = list[int](), list[int]()
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        said, recognized = (normalize_words(text, language) for text in (reference, hypothesis))
        found = jiwer.process_words(" ".join(said), " ".join(recognized))
        errors.append(found.substitutions + found.deletions + found.insertions)
        totals.append(len(said))
    wrong, total = np.array(errors, float), np.array(totals, float)
    sentence = np.random.default_rng(0).integers(0, len(total), (1000, len(total)))
    rates = wrong[sentence].sum(1) / np.maximum(total[sentence].sum(1), 1)
    low, high = np.quantile(rates, (0.025, 0.975))
    return WordErrorRate(float(wrong.sum() / max(total.sum(), 1)), float(low), float(high))
