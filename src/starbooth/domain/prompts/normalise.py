"""Reading words as a person reads them, whatever letters they are written with. For comparing alone.

A prompt is never altered by this. Words keep their borders: one that only holds another is not the other.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby, product

from starbooth.domain.prompts.lookalikes import LEET_CYRILLIC, LEET_LATIN, TO_CYRILLIC, TO_LATIN

# Letters that show nothing and are no format characters by Unicode's own tables.
_INVISIBLE = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(chr(code) for code in (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))
)
# Viramas, nuktas and the voicing of kana are letters' parts, not marks upon them.
_PARTS_OF_LETTERS = frozenset({0, 7, 8, 9})
_SHORTEST_RUN = 3
_MOST_DRAWN_OUT = 4
_MOST_ONES = 3


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One way to read a text.

    words: at each place, everything that the word there may be read as. spelled: what is spelled letter by
    letter, each with every way to read it. compact: the text without anything between its letters.
    """

    words: tuple[frozenset[str], ...]
    spelled: tuple[frozenset[str], ...]
    compact: str


def fold(text: str) -> str:
    """The text without marks and invisible letters, one form for each letter; capitals stay."""
    split = unicodedata.normalize("NFKD", text)
    return unicodedata.normalize("NFC", "".join(letter for letter in split if _shows(letter)))


@lru_cache(maxsize=4096)
def _shows(letter: str) -> bool:
    if letter in _INVISIBLE or unicodedata.category(letter) in ("Cf", "Me"):
        return False
    return unicodedata.combining(letter) in _PARTS_OF_LETTERS


def read(text: str) -> list[Reading]:
    """The ways to read a text: word by word, and as if signs inside of words were letters or nothing."""
    folded = fold(text)
    foreign = _scripts_in_earnest(folded)
    words = _split(folded)
    plain = Reading(
        words=tuple(_forms(word, foreign) for word in words),
        spelled=tuple(_forms(run, foreign) for run in _runs(words)),
        compact="".join(words).casefold(),
    )
    tight = [joined for chunk in folded.split() if (joined := _tighten(chunk))]
    if tight == words:
        return [plain]
    joined_words = tuple(_forms(word, foreign) for word in tight)
    return [plain, Reading(words=joined_words, spelled=(), compact="")]


def read_word(word: str) -> str:
    """A word of the list as it is compared: in one form, without marks and capitals."""
    return fold(word).casefold()


def _split(folded: str) -> list[str]:
    return ["".join(letters) for is_word, letters in groupby(folded, key=is_letter) if is_word]


@lru_cache(maxsize=4096)
def is_letter(letter: str) -> bool:
    """Whether a word can hold this: letters, digits, and the marks that are parts of letters."""
    return letter.isalnum() or unicodedata.category(letter)[0] == "M" or letter in TO_LATIN


def _tighten(chunk: str) -> str:
    """What stands between two blanks as one word; signs that pass for letters stay where more follows."""
    last = max((place for place, letter in enumerate(chunk) if is_letter(letter)), default=-1)
    return "".join(
        letter
        for place, letter in enumerate(chunk)
        if is_letter(letter) or (letter in LEET_LATIN and place < last)
    )


def _runs(words: list[str]) -> Iterator[str]:
    """Words of one letter in a row: n.u.d.e."""
    for is_single, run in groupby(words, key=lambda word: len(word) == 1):
        letters = "".join(run)
        if is_single and len(letters) >= _SHORTEST_RUN:
            yield letters


@lru_cache(maxsize=4096)
def _script(letter: str) -> str:
    code = ord(letter)
    if 0x400 <= code < 0x530 or 0x1C80 <= code < 0x1C90:
        return "cyrillic"
    if 0x370 <= code < 0x400 or 0x1F00 <= code < 0x2000:
        return "greek"
    return "latin" if letter.isalpha() and code < 0x250 else ""


def _scripts_in_earnest(folded: str) -> frozenset[str]:
    """Cyrillic and Greek, where a word holds letters of it that look like no Latin ones."""
    found: set[str] = set()
    for word in _split(folded):
        scripts = {script for script in map(_script, word) if script}
        if len(scripts) == 1 and any(_script(letter) and letter not in TO_LATIN for letter in word):
            found |= scripts - {"latin"}
    return frozenset(found)


@lru_cache(maxsize=8192)
def _forms(word: str, in_earnest: frozenset[str]) -> frozenset[str]:
    """Everything that a word may be read as, in small letters."""
    if word.isascii() and word.isalpha():  # nearly all of them, and the way to stay quick
        return frozenset(_shortened(word.lower()))
    scripts = {script for script in map(_script, word) if script}
    forms = {word.casefold()}
    if not scripts or len(scripts) > 1 or not scripts & in_earnest:
        forms |= _with_digits("".join(TO_LATIN.get(letter, letter) for letter in word).casefold(), LEET_LATIN)
    if "cyrillic" in scripts:
        forms |= _with_digits(
            "".join(TO_CYRILLIC.get(letter, letter) for letter in word).casefold(), LEET_CYRILLIC
        )
    return frozenset(short for form in forms for short in _shortened(form))


def _with_digits(word: str, table: dict[str, tuple[str, ...]]) -> set[str]:
    """The word, and what it is if its digits and signs are letters. A number stays a number."""
    if not any(letter in table for letter in word) or not any(letter.isalpha() for letter in word):
        return {word}
    if word.count("1") > _MOST_ONES:
        table = {**table, "1": ("i",)}
    ways = [table.get(letter, (letter,)) for letter in word]
    return {word, *("".join(way) for way in product(*ways))}


def _shortened(word: str) -> set[str]:
    """The word, and what is left of it if letters that are drawn out are written once or twice."""
    runs = [(letter, len(list(same))) for letter, same in groupby(word)]
    long = sum(count > 2 for _, count in runs)
    twice = sum(count == 2 for _, count in runs)
    if long == 0 and twice < _SHORTEST_RUN:
        return {word}
    once = "".join(letter for letter, _ in runs)
    if long == 0:
        return {word, once}
    choices = (1, 2) if long <= _MOST_DRAWN_OUT else (1,)
    ways = [[letter * n for n in choices] if count > 2 else [letter * count] for letter, count in runs]
    return {word, once, *("".join(way) for way in product(*ways))}
