"""Files of pronunciations."""

from pathlib import Path

import pytest

from oneleap.core.errors import InputError
from oneleap.domains.speech.text.frontend import FrontEnd
from oneleap.domains.speech.text.lexicon import read_lexicon, split_by_lexicon

KNOWN = FrontEnd(phonemizer="espeak").from_ipa


def test_a_lexicon(tmp_path: Path) -> None:
    path = tmp_path / "words.tsv"
    path.write_text("# my words\nTomato\ttəˈmɑːtoʊ\n\ncan't\tkɑːnt\n", encoding="utf-8")
    lexicon = read_lexicon(path, KNOWN)
    assert lexicon == {"tomato": "təˈmɑːtoʊ", "can't": "kɑːnt"}
    assert split_by_lexicon("A TOMATO can't.", lexicon) == [
        ("A ", None),
        ("TOMATO", "təˈmɑːtoʊ"),
        (" ", None),
        ("can't", "kɑːnt"),
        (".", None),
    ]
    assert split_by_lexicon("tomatoes", lexicon) == [("tomatoes", None)]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("tomato", "line 1: expected a word, a tab"),
        ("a\t.", "line 1: expected a word"),
        ("a\taж", "is no symbol"),
    ],
)
def test_a_wrong_lexicon_is_rejected_with_its_line(line: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "l.tsv").write_text(line, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        read_lexicon(tmp_path / "l.tsv", KNOWN)
    with pytest.raises(InputError, match="cannot be read"):
        read_lexicon(tmp_path / "none", KNOWN)
