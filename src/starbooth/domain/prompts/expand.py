"""Words that are drawn for each picture: `<random:red|blue>`, and `__colour__` from lists of our own.

What is drawn depends on the picture's seed alone, so the same seed says the same. Groups may stand within
groups; inside of one a backslash takes the meaning from `|`, `>` and itself, anywhere from `<random:` and
`__colour__`. What is not well formed stays as it was written. Pure.
"""

import hashlib
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

MOST_DEPTH = 8
_OPEN = "<random:"
_TOKEN = re.compile(
    r"\\(?P<escaped><random:|__[a-z]+__|[|>\\])"
    r"|(?P<open><random:)"
    r"|(?<![a-z0-9_])__(?P<name>[a-z]+)__(?![a-z0-9_])"
    r"|(?P<sign>[|>])",
    re.IGNORECASE | re.ASCII,
)


@cache
def wildcards() -> Mapping[str, tuple[str, ...]]:
    """The lists to draw from, by name."""
    with (Path(__file__).parent / "wildcards.toml").open("rb") as source:
        return {name: tuple(options) for name, options in tomllib.load(source).items()}


@dataclass(frozen=True)
class Group:
    """One of the options is drawn. `number`: of the group within its prompt, in reading order."""

    number: int
    options: tuple["Line", ...]

    @property
    def size(self) -> int:
        """How many lines hold every option, each with all that stands in it."""
        return sum(option.size for option in self.options)

    def draw(self, seed: int) -> str:
        """The option that this seed draws."""
        digest = hashlib.sha256(f"{seed}/{self.number}".encode()).digest()
        return self.options[int.from_bytes(digest[:8]) % len(self.options)].draw(seed)

    def pick(self, place: int) -> str:
        """The option at this place, 0 <= place < size, where nested options have places of their own."""
        for option in self.options:
            if place < option.size:
                return option.pick(place)
            place -= option.size
        raise IndexError(place)


@dataclass(frozen=True)
class Line:
    """Text with groups in it."""

    parts: tuple[str | Group, ...]

    @property
    def size(self) -> int:
        """How many lines hold every option of every group between them."""
        return max((part.size for part in self.parts if isinstance(part, Group)), default=1)

    @property
    def longest(self) -> int:
        """The most characters that any draw has."""
        return sum(
            len(part) if isinstance(part, str) else max(option.longest for option in part.options)
            for part in self.parts
        )

    @property
    def has_groups(self) -> bool:
        """Whether anything is drawn."""
        return any(isinstance(part, Group) for part in self.parts)

    def draw(self, seed: int) -> str:
        """What this seed says. The same seed, the same words."""
        return "".join(part if isinstance(part, str) else part.draw(seed) for part in self.parts)

    def pick(self, place: int) -> str:
        """One of the lines that hold every option between them, 0 <= place < size."""
        return "".join(part if isinstance(part, str) else part.pick(place % part.size) for part in self.parts)


def parse(prompt: str) -> Line:
    """The prompt with its groups. One that has none is one piece of text, as it was written."""
    return _Parser(prompt).line()


@dataclass
class _Parser:
    text: str
    _numbers: "count[int]" = field(default_factory=count)

    def line(self) -> Line:
        self._ends = self._match_brackets()
        return self._options(0, len(self.text), depth=0)[0]

    def _match_brackets(self) -> dict[int, int]:
        """Where each group that is closed ends, by where its content begins. Looks at every token once."""
        ends: dict[int, int] = {}
        open_at: list[int] = []
        for token in _TOKEN.finditer(self.text):
            if token["open"]:
                open_at.append(token.end())
            elif token["sign"] == ">" and open_at:
                ends[open_at.pop()] = token.start()
        return ends

    def _options(self, start: int, end: int, *, depth: int) -> list[Line]:
        """The options between these places; outside of all groups there is one."""
        options: list[list[str | Group]] = [[]]
        place = start
        while token := _TOKEN.search(self.text, place, end):
            options[-1].append(self.text[place : token.start()])
            place = token.end()
            if token["sign"] == "|" and depth:
                options.append([])
            elif token["open"] and place in self._ends:
                options[-1].append(self._group(token, self._ends[place], depth=depth + 1))
                place = self._ends[place] + 1
            else:
                options[-1].append(self._plain(token, depth))
        options[-1].append(self.text[place:end])
        return [_joined(parts) for parts in options]

    def _group(self, opened: re.Match[str], end: int, *, depth: int) -> str | Group:
        """What stands between these brackets; as it was written where nothing does, or too deep."""
        start = opened.end()
        if depth > MOST_DEPTH or not self.text[start:end].strip("| \t\n"):
            return self.text[opened.start() : end + 1]
        number = next(self._numbers)
        return Group(number, tuple(map(_trimmed, self._options(start, end, depth=depth))))

    def _plain(self, token: re.Match[str], depth: int) -> str | Group:
        """A word to draw, or what the token says by itself."""
        name = (token["name"] or "").lower()
        if name in wildcards():
            return Group(next(self._numbers), tuple(Line((option,)) for option in wildcards()[name]))
        escaped = token["escaped"]
        if escaped is None:
            return token[0]
        is_meant = depth > 0 or escaped.lower() == _OPEN
        is_meant = is_meant or escaped.strip("_").lower() in wildcards()
        return escaped if is_meant and not _is_unknown(escaped) else token[0]


def _is_unknown(escaped: str) -> bool:
    """Whether it looks like a word to draw and is none, so that there is nothing to take away from it."""
    return escaped.startswith("__") and escaped.strip("_").lower() not in wildcards()


def _joined(parts: list[str | Group]) -> Line:
    """With neighbouring texts as one."""
    whole: list[str | Group] = []
    for part in parts:
        if isinstance(part, str) and whole and isinstance(whole[-1], str):
            whole[-1] += part
        elif part != "":
            whole.append(part)
    return Line(tuple(whole))


def _trimmed(line: Line) -> Line:
    """Without the blanks that stand around an option."""
    parts = list(line.parts)
    if parts and isinstance(parts[0], str):
        parts[0] = parts[0].lstrip()
    if parts and isinstance(parts[-1], str):
        parts[-1] = parts[-1].rstrip()
    return Line(tuple(parts))
