"""Word error rates of what a recognizer hears."""

from collections.abc import Sequence

from oneleap.domains.audio.evaluation.recognition import ErrorRate, error_rate
from oneleap.domains.audio.evaluation.recognition import Recognizer as Recognizer
from oneleap.domains.speech.text.normalize import normalize


def normalize_words(text: str, language: str = "en-us") -> list[str]:
    """Split a text into words in lower case, with numbers in words and without punctuation."""
    plain = normalize(text.replace("-", " "), language).lower().replace("’", "'")
    return "".join(c if c.isalnum() or c == "'" else " " for c in plain).split()


def word_error_rate(
    references: Sequence[str], hypotheses: Sequence[str], language: str = "en-us"
) -> ErrorRate:
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
    return error_rate(errors, totals)
