"""SSML: pieces of text, with pauses and manner."""

import pytest

from oneleap.core.errors import InputError, Notice
from oneleap.domains.speech.text.ssml import MAX_DEPTH, Piece, Prosody, is_ssml, parse_ssml


def one(inside: str) -> Piece:
    (piece,) = parse_ssml(f"<speak>{inside}</speak>")
    return piece


def test_what_is_ssml() -> None:
    assert is_ssml('<?xml version="1.0"?>\n<speak version="1.1">Hi</speak>')
    assert is_ssml(" <speak>Hi</speak>")
    assert not is_ssml("Hi <speak>")
    assert not is_ssml("<speaker>")


def test_breaks_paragraphs_and_emphasis_make_pieces() -> None:
    pieces = parse_ssml(
        "<speak>One<break time='500ms'/> two <emphasis level='strong'>three</emphasis> &amp; four."
        "<p>Five.</p><break strength='strong'/>six<break time='1.5s'/></speak>"
    )
    assert [piece.text for piece in pieces] == ["One", "two", "three", "& four.", "Five.", "six"]
    assert [piece.pause_s for piece in pieces] == [0.5, None, None, None, 0.7, 1.5]
    assert pieces[2].prosody == Prosody(0.85, 2.0, 3.0)
    assert parse_ssml("<speak><break time='2s'/>x</speak>")[0] == Piece("", Prosody(), 2.0)


@pytest.mark.parametrize(
    ("attributes", "prosody"),
    [
        ("rate='slow'", Prosody(rate=0.8)),
        ("rate='150%'", Prosody(rate=1.5)),
        ("rate='+20%'", Prosody(rate=1.2)),
        ("rate='0.5'", Prosody(rate=0.5)),
        ("pitch='+2st'", Prosody(pitch=2.0)),
        ("pitch='x-low'", Prosody(pitch=-6.0)),
        ("pitch='+100%'", Prosody(pitch=12.0)),
        ("volume='+6dB'", Prosody(volume=6.0)),
        ("volume='loud'", Prosody(volume=6.0)),
        ("volume='100'", Prosody(volume=0.0)),
    ],
)
def test_prosody(attributes: str, prosody: Prosody) -> None:
    assert one(f"<prosody {attributes}>a</prosody>") == Piece("a", prosody)


def test_prosody_is_nested() -> None:
    inner = one(
        "<prosody rate='2' volume='+3dB'><prosody rate='2' volume='+3dB'>a</prosody></prosody>"
    )
    assert inner.prosody == Prosody(4.0, 0.0, 6.0)


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("<sub alias='World Wide Web'>WWW</sub>", "World Wide Web"),
        ("a <phoneme alphabet='ipa' ph='təˈmɑːtoʊ'>tomato</phoneme>.", "a [[təˈmɑːtoʊ]] ."),
        ("<say-as interpret-as='characters'>AB1-x</say-as>", "A B one dash X"),
        ("<say-as interpret-as='spell-out'>cat</say-as>", "C A T"),
        ("<say-as interpret-as='digits'>123</say-as>", "one two three"),
        (
            "<say-as interpret-as='cardinal'>1,234</say-as>",
            "one thousand two hundred and thirty four",
        ),
        ("<say-as interpret-as='ordinal'>3</say-as>", "third"),
        (
            "<say-as interpret-as='telephone'>555-0199</say-as>",
            "five five five, zero one nine nine",
        ),
        (
            "<say-as interpret-as='date' format='dmy'>3/4/2025</say-as>",
            "April third, twenty twenty five",
        ),
        ("<say-as interpret-as='date'>2025-04-03</say-as>", "April third, twenty twenty five"),
        ("<say-as interpret-as='currency'>$5</say-as>", "$5"),
        ("<say-as interpret-as='expletive'>damn</say-as> it", "it"),
        ("a<mark name='x'/> b <s>c</s>", "a b"),
    ],
)
def test_text_that_is_replaced(inside: str, text: str) -> None:
    assert parse_ssml(f"<speak>{inside}</speak>")[0].text == text


def test_unknown_elements_are_read_with_one_notice() -> None:
    with pytest.warns(Notice, match="read as plain text: lang, voice") as caught:
        assert one("<voice name='x'>a <lang>b</lang></voice>").text == "a b"
    assert len(caught) == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<speak>a", "is not SSML"),
        ("<speak>a & b</speak>", "is not SSML"),
        ("<speak>&x;</speak>", "is not SSML"),
        ('<!DOCTYPE s [<!ENTITY x "y">]><speak>&x;</speak>', "declares a document type"),
        ("<speak><break time='2 minutes'/></speak>", "break time: expected such as 500ms"),
        ("<speak><break time='99s'/></speak>", "break time: at most 60 s"),
        (
            "<speak><break strength='huge'/></speak>",
            "break strength: 'huge' is none of none, x-weak",
        ),
        ("<speak><prosody rate='quick'>a</prosody></speak>", "prosody rate: 'quick'"),
        ("<speak><prosody pitch='2'>a</prosody></speak>", "prosody pitch: '2'"),
        ("<speak><prosody volume='big'>a</prosody></speak>", "prosody volume: 'big'"),
        ("<speak><sub>a</sub></speak>", "<sub> needs alias"),
        ("<speak><say-as interpret-as='x'>a</say-as></speak>", "interpret-as: 'x' is not known"),
        ("<speak><phoneme alphabet='x-sampa' ph='a'>b</phoneme></speak>", "alphabet: ipa is read"),
        ("<speak>" + "<s>" * MAX_DEPTH + "</s>" * MAX_DEPTH + "</speak>", "nested deeper than 64"),
        ("<b>a</b>", "SSML begins with <speak>"),
    ],
)
def test_wrong_ssml_is_rejected_in_one_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        parse_ssml(text, "here")
    assert str(error.value).startswith("here: ")
    assert "\n" not in str(error.value)
