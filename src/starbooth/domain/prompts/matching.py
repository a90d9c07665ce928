"""The operator's words against a prompt. Pure.

An entry is a word, several words in a row, or a beginning with a star behind it. `|` stands between words of
which any will do, `+` between such groups that must all be there, wherever they stand: `nude|naked + child*`.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from starbooth.domain.prompts.errors import PhraseRefused
from starbooth.domain.prompts.normalise import Reading, is_letter, read, read_word

LONGEST_ENTRY = 500
_LONGEST_WORD = 60
_SHORTEST_BEGINNING = 3
_SHORTEST_WORD = 2
_SHORTEST_SPELLED = 3


@dataclass(frozen=True)
class Word:
    """A word as it is compared. is_beginning: anything may follow."""

    text: str
    is_beginning: bool

    def fits(self, forms: frozenset[str]) -> bool:
        """Whether a word that can be read as any of these is this one."""
        if self.is_beginning:
            return any(form.startswith(self.text) for form in forms)
        return self.text in forms


Phrase = tuple[Word, ...]
Groups = tuple[tuple[Phrase, ...], ...]


def tidy_entry(typed: str) -> str:
    """An entry as the list keeps it: small letters, single blanks. Raises: PhraseRefused."""
    groups = [
        "|".join(" ".join(phrase.casefold().split()) for phrase in group.split("|"))
        for group in typed.split("+")
    ]
    entry = " + ".join(groups)
    if len(entry) > LONGEST_ENTRY:
        raise PhraseRefused(f"it is longer than {LONGEST_ENTRY} characters")
    parse_entry(entry)
    return entry


def parse_entry(entry: str) -> Groups:
    """What an entry means. Raises: PhraseRefused."""
    return tuple(tuple(_parse_phrase(phrase) for phrase in group.split("|")) for group in entry.split("+"))


def _parse_phrase(phrase: str) -> Phrase:
    words: list[Word] = []
    for typed in phrase.split():
        stem, star, behind = typed.partition("*")
        text = read_word(stem)
        if behind or not text or not all(map(is_letter, text)):
            raise PhraseRefused("a word is made of letters and digits, with a star at its end if at all")
        least = 1 if _is_unspaced(text) else _SHORTEST_BEGINNING if star else _SHORTEST_WORD
        if not least <= len(text) <= _LONGEST_WORD:
            raise PhraseRefused(
                f"a word has {_SHORTEST_WORD} to {_LONGEST_WORD} letters, and 3 before a star"
            )
        words.append(Word(text, is_beginning=bool(star)))
    if not words:
        raise PhraseRefused("there is nothing in it")
    return tuple(words)


def _is_unspaced(text: str) -> bool:
    """Whether it is written in a script that puts no blanks between words: then it is looked for anywhere."""
    return any(
        0x0E00 <= code < 0x1000 or 0x1780 <= code < 0x1800 or 0x3040 <= code < 0xA000 or code >= 0x20000
        for code in map(ord, text)
    )


_Place = tuple[int, int]  # of a phrase: the entry's place in the list, and the group's in the entry


class Matcher:
    """A word list, ready to be compared. Frozen once made; safe to share."""

    def __init__(self, entries: Iterable[str]) -> None:
        self._entries = tuple(entries)
        self._sizes: list[int] = []
        self._whole: dict[str, list[tuple[Phrase, _Place]]] = defaultdict(list)
        self._begun: dict[str, list[tuple[Phrase, _Place]]] = defaultdict(list)
        self._joined: dict[str, list[_Place]] = defaultdict(list)
        self._anywhere: list[tuple[str, _Place]] = []
        for place, entry in enumerate(self._entries):
            groups = parse_entry(entry)
            self._sizes.append(len(groups))
            for number, group in enumerate(groups):
                for phrase in group:
                    self._add(phrase, (place, number))
        self._longest = max(map(len, self._begun), default=0)

    def _add(self, phrase: Phrase, place: _Place) -> None:
        joined = "".join(word.text for word in phrase)
        if _is_unspaced(joined):
            self._anywhere.append((joined, place))
            return
        first = phrase[0]
        (self._begun if first.is_beginning else self._whole)[first.text].append((phrase, place))
        if len(joined) >= _SHORTEST_SPELLED:
            self._joined[joined].append(place)

    def find(self, texts: Sequence[str]) -> str | None:
        """The first entry that these texts hold between them; None where they hold none."""
        found: set[_Place] = set()
        for text in texts:
            for reading in read(text):
                self._look(reading, found)
        for entry, size in enumerate(self._sizes):
            if all((entry, number) in found for number in range(size)):
                return self._entries[entry]
        return None

    def _look(self, reading: Reading, found: set[_Place]) -> None:
        for start, forms in enumerate(reading.words):
            for form in forms:
                for phrase, place in self._beginning_with(form):
                    if place not in found and _stands_at(reading.words, start, phrase):
                        found.add(place)
        for forms in reading.spelled:
            for form in forms:
                found.update(self._inside(form))
        found.update(place for text, place in self._anywhere if text in reading.compact)

    def _beginning_with(self, form: str) -> list[tuple[Phrase, _Place]]:
        phrases = list(self._whole.get(form, ()))
        for length in range(_SHORTEST_BEGINNING, min(len(form), self._longest) + 1):
            phrases += self._begun.get(form[:length], ())
        return phrases

    def _inside(self, spelled: str) -> list[_Place]:
        """What is spelled letter by letter has no borders between its words."""
        return [place for text, places in self._joined.items() if text in spelled for place in places]


def _stands_at(words: Sequence[frozenset[str]], start: int, phrase: Phrase) -> bool:
    behind = words[start : start + len(phrase)]
    return len(behind) == len(phrase) and all(
        word.fits(forms) for word, forms in zip(phrase, behind, strict=True)
    )
