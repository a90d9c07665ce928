"""What each picture of an order is painted from: the guest's words, what was drawn, and trigger words."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from starbooth.domain.generations.errors import PromptEmpty, PromptTooLong, TooManyOptions
from starbooth.domain.prompts.expand import Line, parse

MOST_OPTIONS = 100


@dataclass(frozen=True, kw_only=True)
class Wording:
    """each: the words of every picture, by its seed. options: lines that hold all that could be drawn."""

    seeds: tuple[int, ...]
    each: tuple[str, ...]
    options: tuple[str, ...]

    @property
    def texts(self) -> Sequence[str]:
        """Everything that must be allowed: one seed's draw today is another's tomorrow."""
        return list(dict.fromkeys((*self.each, *self.options)))

    def to_json(self, prompt: str) -> dict[str, Any]:
        """What the order keeps of it; nothing where the pictures are painted from the guest's own words."""
        if len(set(self.each)) > 1:
            return {"each_words": list(self.each)}
        return {} if self.each[0] == prompt else {"words": self.each[0]}


def words_to_paint(request: Mapping[str, Any], number: int) -> str:
    """What the ticket of this number is painted from, by an order's request as `to_json` left it."""
    frozen = request["frozen"]
    if "each_words" in frozen:
        return str(frozen["each_words"][number])
    return str(frozen.get("words", request["asked"]["prompt"]))


def drawn_words(request: Mapping[str, Any], number: int) -> str | None:
    """What was drawn for the picture of this number, or is its own in a series; None where the guest's words
    leave nothing to draw.
    """
    is_drawn = "series" in request["asked"] or parse(request["asked"]["prompt"]).has_groups
    return words_to_paint(request, number) if is_drawn else None


def read_options(prompt: str, *, limit: int) -> Line:
    """The prompt with its groups, none of whose draws is longer than `limit` characters.

    Raises: PromptTooLong, TooManyOptions; PromptEmpty where there may be nothing to paint.
    """
    line = parse(prompt)
    if _may_be_empty(line):
        raise PromptEmpty
    if line.longest > limit:
        raise PromptTooLong(length=line.longest, limit=limit)
    if line.size > MOST_OPTIONS:
        raise TooManyOptions(limit=MOST_OPTIONS)
    return line


def _may_be_empty(line: Line) -> bool:
    return not any(
        is_paintable(part) if isinstance(part, str) else not any(map(_may_be_empty, part.options))
        for part in line.parts
    )


def word_pictures(line: Line, seeds: tuple[int, ...], *, trigger_words: Sequence[str]) -> Wording:
    """The words of each picture by its seed; the same seed, the same words."""
    drawn = [line.draw(seed).strip() for seed in seeds]
    options = [line.pick(place) for place in range(line.size)] if line.has_groups else []
    return Wording(
        seeds=seeds,
        each=tuple(with_triggers(words, trigger_words) for words in drawn),
        options=tuple(options),
    )


def word_series(prompts: Sequence[str], seeds: tuple[int, ...], *, trigger_words: Sequence[str]) -> Wording:
    """The words of pictures that each have their own; nothing is drawn."""
    return Wording(
        seeds=seeds, each=tuple(with_triggers(words, trigger_words) for words in prompts), options=()
    )


def is_paintable(words: str) -> bool:
    """Whether there is anything in it to paint: a letter, a digit or a symbol."""
    return any(unicodedata.category(letter)[0] in "LNS" for letter in words)


def with_triggers(prompt: str, trigger_words: Sequence[str]) -> str:
    """The prompt with the LoRAs' trigger words before it, those that it does not hold as words already."""
    missing = [word for word in trigger_words if word.strip() and not _holds(prompt, word.strip())]
    return ", ".join([*dict.fromkeys(missing), prompt])


def _holds(prompt: str, word: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", prompt, re.IGNORECASE) is not None
