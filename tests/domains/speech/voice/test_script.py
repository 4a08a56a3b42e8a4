"""Lines of a script: pauses, volume, SSML."""

import numpy as np
import pytest

from oneleap.core.errors import InputError
from oneleap.domains.audio.wave import Wave
from oneleap.domains.speech.text.frontend import FrontEnd
from oneleap.domains.speech.text.sentences import PAUSE_S
from oneleap.domains.speech.text.ssml import Prosody
from oneleap.domains.speech.voice.script import Line, join_lines, script_lines

FRONT_END = FrontEnd()


def test_plain_text_has_a_pause_between_sentences() -> None:
    assert script_lines(FRONT_END, "Yes. No.") == [
        Line("jˈɛs.", after_s=PAUSE_S),
        Line("nˈO.", after_s=0.0),
    ]


def test_ssml_sets_pauses_and_manner() -> None:
    lines = script_lines(
        FRONT_END,
        "<speak><break time='1s'/>Yes. No<break time='300ms'/>"
        "<prosody rate='slow' volume='+6dB'>yes</prosody></speak>",
    )
    assert lines == [
        Line("jˈɛs.", before_s=1.0, after_s=PAUSE_S),
        Line("nˈO", after_s=0.3),
        Line("jˈɛs", Prosody(0.8, 0.0, 6.0)),
    ]


def test_paragraphs_are_further_apart_than_sentences() -> None:
    text = "Yes. No.\n\n...\n\nYes, no"
    assert [line.after_s for line in script_lines(FRONT_END, text)] == [0.2, 0.5, 0.0]
    for pause in (0.0, 0.6):
        pauses = [line.after_s for line in script_lines(FRONT_END, text, pause_s=pause)]
        assert pauses == pytest.approx([pause, 2.5 * pause, 0.0])


def test_a_sentence_that_was_cut_has_short_pauses_inside() -> None:
    text = '"' + ", ".join(["We went to the river in the morning"] * 24) + '." Yes.'
    lines = script_lines(FRONT_END, text, pause_s=2.0)
    assert len(lines) > 3
    assert [line.after_s for line in lines[:-2]] == [0.2] * (len(lines) - 2)
    assert [line.after_s for line in lines[-2:]] == [2.0, 0.0]
    assert {line.after_s for line in script_lines(FRONT_END, text, pause_s=0.1)[:-1]} == {0.1}


def test_pauses_of_ssml_follow_the_setting_unless_they_are_given() -> None:
    text = "<speak><p><s>Yes.</s><s>No.</s></p><p>Yes.<break time='300ms'/>No. Yes.</p>Yes</speak>"
    pauses = [line.after_s for line in script_lines(FRONT_END, text, pause_s=1.0)]
    assert pauses == pytest.approx([1.0, 2.5, 0.3, 1.0, 2.5, 0.0])


def test_ssml_without_a_word_is_rejected() -> None:
    with pytest.raises(InputError, match="nothing to say: the SSML has no word"):
        script_lines(FRONT_END, "<speak><break/>... </speak>")


def test_lines_are_joined_with_their_silences_at_their_volume() -> None:
    wave = Wave(np.full(100, 0.4, np.float32), 1000)
    lines = [Line("a", before_s=0.05, after_s=0.1), Line("b", Prosody(volume=20.0))]
    joined = join_lines(lines, [wave, wave])
    assert joined.sample_rate == 1000
    expected = np.repeat([0, 0.4, 0, 1.0], [50, 100, 100, 100]).astype(np.float32)
    np.testing.assert_array_equal(joined.samples, expected)
