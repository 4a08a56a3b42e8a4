"""A melody that grows note by note while a file is read."""

from dataclasses import dataclass, field, replace
from fractions import Fraction

from oneleap.domains.singing.lyrics.punctuation import Lyric
from oneleap.domains.singing.scores.score import Note, check_size

HUM = "a"
"""Lyric of notes that have none, and no syllable before them to continue."""

NO_LYRIC = Lyric("")


@dataclass
class Melody:
    """Notes and rests as they are read.

    Attributes:
        vowel: Lyric of notes that have none, and no syllable before them to continue.
        notes: Notes and rests up to now.
    """

    vowel: str = HUM
    notes: list[Note] = field(default_factory=list)
    _breath: bool = False

    def rest(self, beats: Fraction) -> None:
        """Append a rest, or lengthen the one at the end."""
        if self.notes and self.notes[-1].midi is None:
            self.notes[-1] = replace(self.notes[-1], beats=self.notes[-1].beats + beats)
        else:
            self._end_sentence()
            self.notes.append(Note(beats, None))

    def note(self, note: Note, lyric: Lyric = NO_LYRIC, *, tied: bool = False) -> None:
        """Append a note, or lengthen the last one if it is tied to it.

        A note without a lyric continues the syllable before it, and is hummed if there is none.

        Args:
            note: Length, pitch and signs; its lyric and slur are ignored.
            lyric: Lyric of the note.
            tied: Whether a tie leads from the note before it.
        """
        last = self.notes[-1] if self.notes and self.notes[-1].midi is not None else None
        held = last is not None and tied and last.midi == note.midi
        if last is not None and held and lyric.text in ("", last.lyric):
            self.notes[-1] = replace(
                last,
                beats=last.beats + note.beats,
                breath=last.breath or note.breath,
                fermata=last.fermata or note.fermata,
            )
            return
        slur = last is not None and not lyric.text
        if not slur:
            self._end_sentence()
        text = "" if slur else lyric.text or self.vowel
        hyphen = lyric.hyphen and not slur
        self.notes.append(replace(note, lyric=text, slur=slur, hyphen=hyphen))
        self._breath = self._breath or lyric.breath
        check_size(0, len(self.notes))

    def lengthen(self, beats: Fraction) -> None:
        """Lengthen the last note or rest."""
        self.notes[-1] = replace(self.notes[-1], beats=self.notes[-1].beats + beats)

    def _end_sentence(self) -> None:
        """Breathe after the last note if a sentence ended with it."""
        if self._breath and self.notes[-1].midi is not None:
            self.notes[-1] = replace(self.notes[-1], breath=True)
        self._breath = False
