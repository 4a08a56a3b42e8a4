"""Generated phrases: sentences of a small grammar, numbers, questions, words and letters."""

import numpy as np


def _words(text: str) -> list[str]:
    """Words of a text."""
    return text.split()


def _phrases(text: str) -> list[str]:
    """Phrases of a text, which bars separate."""
    return [" ".join(phrase.split()) for phrase in text.split("|")]


_PEOPLE = _phrases(
    """the teacher|my sister|an old man|the doctor|our neighbor|the captain|a young woman|the
children|her uncle|the farmer|two sailors|the mayor|a stranger|his daughter|the engineer|the
baker|their cousins|a nurse|the painter|every student|the pilot|some visitors|the judge|a
musician|the gardener|your friend|the whole family|nobody|everyone in town|the new owner"""
)
_ACTS = _phrases(
    """opened|painted|borrowed|noticed|carried|described|repaired|watched|measured|forgot|bought|sold|found|lost|praised|followed|ignored|explained|collected|remembered|finished|examined|photographed|hid|cleaned|returned|discovered|imagined|counted|wrapped"""
)
_THINGS = _phrases(
    """the green door|a wooden box|three yellow umbrellas|the broken engine|a map of the valley|the
longest letter|their favorite song|a jar of honey|the silver whistle|an empty bottle|the kitchen
table|a bunch of violets|the northern bridge|fresh vegetables|a pair of gloves|the history of
the village|the morning paper|an ancient coin|a huge birthday cake|the final question|the church
bell|a basket of oranges|the rusty bicycle|an unusual machine|the weather report|the treasure
chest|a cup of strong coffee|the latest invention|the photograph|thin air"""
)
_PLACES = _phrases(
    """near the harbor|after supper|in the middle of the night|without a word|on the way to
school|behind the theater|during the long voyage|with great care|before the rain began|at the
edge of the forest|for the third time|under a cloudless sky|as quickly as possible|because
nobody else would|while the music played|for no good reason|beside the railway|last Thursday|in
spite of the cold|until the sun went down|from the top of the hill|since early January|once
again|in a quiet voice|between the two houses|like a professional"""
)
_OPENERS = _phrases(
    """yesterday|sometimes|in the end|to our surprise|years ago|of course|every spring|however|at
first|fortunately|in other words|by the way|this afternoon"""
)
_MONTHS = _words(
    """January February March April May June July August September October November December"""
)
_ALONE = _words(
    """yes no hello goodbye thanks please sorry stop go left right north south east west welcome
maybe never always today tomorrow water bread apple garden window river mountain thought strength
judge measure vision church shrimp squirrel rhythm three seventh zero eleven twenty Monday
Tuesday Wednesday Saturday August breathe clothes months sixth world rural jewelry towel yellow
orange purple question answer mother father police office music thank beige genre azure pleasure
usual toy choice noise boy house cow ice eye air ear oil owl error mirror"""
)


def _pick(rng: np.random.Generator, words: list[str]) -> str:
    return words[int(rng.integers(len(words)))]


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def grammar_sentence(rng: np.random.Generator) -> str:
    """A sentence of subject, verb, object and circumstance; it is grammatical, seldom sensible."""
    core = f"{_pick(rng, _PEOPLE)} {_pick(rng, _ACTS)} {_pick(rng, _THINGS)}"
    kind = int(rng.integers(5))
    if kind == 0:
        core = f"{_pick(rng, _OPENERS)}, {core}"
    if kind in (1, 2):
        core = f"{core} {_pick(rng, _PLACES)}"
    if kind == 3:
        core = f"{core}, {_pick(rng, ['and', 'but', 'so', 'while'])} {_pick(rng, _PEOPLE)} "
        core += f"{_pick(rng, _ACTS)} {_pick(rng, _THINGS)} {_pick(rng, _PLACES)}"
    return _capital(core) + _pick(rng, [".", ".", ".", ".", "!"])


def question(rng: np.random.Generator) -> str:
    """A question with an auxiliary or a question word, or a tag question."""
    kind, subject = int(rng.integers(4)), _pick(rng, _PEOPLE)
    if kind == 0:
        return f"Who {_pick(rng, _ACTS)} {_pick(rng, _THINGS)}?"
    if kind == 1:
        return f"Was {subject} still {_pick(rng, _PLACES)}?"
    if kind == 2:
        word = _pick(rng, ["Where", "When", "Why", "How"])
        return f"{word} was {_pick(rng, _THINGS)} seen?"
    end = _pick(rng, ["isn't it", "don't you think", "right", "did they", "or not"])
    return f"{_capital(subject)} {_pick(rng, _ACTS)} {_pick(rng, _THINGS)}, {end}?"


def number_phrase(rng: np.random.Generator) -> str:
    """A phrase with a date, a price, a time, a quantity, a year or a telephone number."""
    low, high = (int(x) for x in rng.integers((1, 2), (99, 9999)))
    day, year = int(rng.integers(1, 29)), int(rng.integers(1500, 2060))
    digits = " ".join(map(str, rng.integers(0, 10, 7).tolist()))
    return _pick(
        rng,
        [
            f"It happened on {_pick(rng, _MONTHS)} {day}, {year}.",
            f"That will be ${low}.{int(rng.integers(10, 99))}, please.",
            f"The train leaves at {int(rng.integers(1, 13))}:{int(rng.integers(10, 60))}.",
            f"About {high:,} people came, {low} percent more than in {year}.",
            f"Call {digits} and ask for room {low}.",
            f"{high} divided by {low} is not {day}.",
            f"Chapter {low}, page {int(rng.integers(100, 999))}.",
            f"He is {low} years old and {int(rng.integers(120, 210))} centimeters tall.",
        ],
    )


def short_phrase(rng: np.random.Generator) -> str:
    """One to three single words, or a few letters or digits of the alphabet."""
    kind = int(rng.integers(4))
    if kind == 0:
        letters = rng.permutation(list("ABCDEFGHIJKLMNOPQRSTUVWXYZ"))[: int(rng.integers(1, 6))]
        return ", ".join(letters.tolist()) + "."
    if kind == 1:
        return ", ".join(map(str, rng.integers(0, 100, int(rng.integers(1, 5))).tolist())) + "."
    words = [_pick(rng, _ALONE) for _ in range(int(rng.integers(1, 4)))]
    return _capital(_pick(rng, [", ", ". "]).join(words)) + _pick(rng, [".", ".", "!", "?"])
