"""Telegram's HTML parse mode: the grammar and the error texts of the official server's `parse_html`.

Entities come out as the Bot API writes them, offsets in UTF-16 units; error offsets are bytes, as Telegram
counts.
"""

import re
from dataclasses import dataclass

from starbooth.playground.errors import ApiError, Json, bad_request
from starbooth.playground.found_entities import utf16_length

_KINDS = {
    **dict.fromkeys(("b", "strong"), "bold"),
    **dict.fromkeys(("i", "em"), "italic"),
    **dict.fromkeys(("s", "strike", "del"), "strikethrough"),
    **dict.fromkeys(("u", "ins"), "underline"),
    **dict.fromkeys(("tg-spoiler", "span"), "spoiler"),
    "a": "text_link",
    "pre": "pre",
    "code": "code",
    "blockquote": "blockquote",
    "tg-emoji": "custom_emoji",
}
_CHARACTERS = {"lt": "<", "gt": ">", "amp": "&", "quot": '"'}
_REFERENCE = re.compile(r"&(?:#(?:x([0-9a-fA-F]*)|([0-9]*))|([A-Za-z]*));?")
_PLAIN = re.compile(r"[^<&]+")
_SPACES = re.compile(r"[ \t\r\n\0\v]*")
_TAG_NAME = re.compile(r"[^ \t\r\n\0\v>]*")
_ATTRIBUTE_NAME = re.compile(r"[^ \t\r\n\0\v=>/\"']*")
_NAME_TOKEN = re.compile(r"[A-Za-z0-9.-]*")
_ARGUMENTS = {
    ("a", "href"): "",
    ("code", "class"): "language-",
    ("span", "class"): "tg-",
    ("tg-emoji", "emoji-id"): "",
}


@dataclass(frozen=True, slots=True)
class _Open:
    tag: str
    argument: str
    offset: int
    part: int


def parse_html(source: str) -> tuple[str, list[Json]]:
    """Plain text and entities of `source`.

    Raises: ApiError 400 `can't parse entities: ...` for markup that Telegram refuses.
    """
    return _Reader(source).read()


class _Reader:
    def __init__(self, source: str) -> None:
        self.source = source
        self.at = 0
        self.parts: list[str] = []
        self.offset = 0
        self.open: list[_Open] = []
        self.entities: list[Json] = []

    def read(self) -> tuple[str, list[Json]]:
        while self.at < len(self.source):
            if plain := _PLAIN.match(self.source, self.at):
                self._write(plain.group())
                self.at = plain.end()
            elif self.source[self.at] == "&":
                self._write(self._reference())
            elif self.source.startswith("</", self.at):
                self._end_tag()
            else:
                self._start_tag()
        if self.open:
            raise _wrong(f'Can\'t find end tag corresponding to start tag "{self.open[-1].tag}"')
        for entity in self.entities:
            if entity["type"] == "code":
                entity.pop("language", None)
        return "".join(self.parts), self.entities

    def _write(self, text: str) -> None:
        self.parts.append(text)
        self.offset += utf16_length(text)

    def _reference(self) -> str:
        """The character that the `&...;` at the cursor means, or the `&` itself where it means none."""
        match = _REFERENCE.match(self.source, self.at)
        if match is None:
            raise AssertionError("called only where an & stands")
        hexadecimal, decimal, name = match.groups()
        if name is not None:
            character = _CHARACTERS.get(name)
        else:
            digits = hexadecimal if hexadecimal is not None else decimal
            code = int(digits, 16 if hexadecimal is not None else 10) if 0 < len(digits) < 8 else 0
            character = chr(code) if 0 < code < 0x10FFFF and not 0xD800 <= code <= 0xDFFF else None
        if character is None:
            self.at += 1
            return "&"
        self.at = match.end()
        return character

    def _peek(self) -> str:
        return self.source[self.at] if self.at < len(self.source) else ""

    def _take(self, pattern: re.Pattern[str]) -> str:
        match = pattern.match(self.source, self.at)
        if match is None:
            raise AssertionError("every pattern here matches the empty text")
        self.at = match.end()
        return match.group()

    def _byte(self, position: int) -> int:
        return len(self.source[:position].encode())

    def _start_tag(self) -> None:
        begin = self.at
        self.at += 1
        tag = self._take(_TAG_NAME).lower()
        if not self._peek():
            raise _wrong(f"Unclosed start tag at byte offset {self._byte(begin)}")
        if tag not in _KINDS:
            raise _wrong(f'Unsupported start tag "{tag}" at byte offset {self._byte(begin)}')
        argument = ""
        while True:
            self._take(_SPACES)
            if self._peek() == ">":
                break
            argument = self._attribute(tag, begin, argument)
        self.at += 1
        if tag == "span" and argument != "spoiler":
            raise _wrong(f'Tag "span" must have class "tg-spoiler" at byte offset {self._byte(begin)}')
        self.open.append(_Open(tag, argument, self.offset, len(self.parts)))

    def _attribute(self, tag: str, begin: int, argument: str) -> str:
        """Read one attribute; returns the tag's argument, changed where this attribute carries it."""
        name = self._take(_ATTRIBUTE_NAME)
        if not name:
            raise _wrong(f'Empty attribute name in the tag "{tag}" at byte offset {self._byte(begin)}')
        self._take(_SPACES)
        is_expandable = tag == "blockquote" and name == "expandable"
        if self._peek() != "=":
            self._refuse_end(f'Unclosed start tag "{tag}"', begin)
            return "1" if is_expandable else argument
        self.at += 1
        self._take(_SPACES)
        self._refuse_end(f'Unclosed start tag "{tag}"', begin)
        value = self._attribute_value()
        self._refuse_end("Unclosed start tag", begin)
        if is_expandable:
            return "1"
        prefix = _ARGUMENTS.get((tag, name))
        if prefix is not None and value.startswith(prefix):
            return value[len(prefix) :]
        return argument

    def _attribute_value(self) -> str:
        quote = self._peek()
        if quote not in "'\"":
            begin = self.at
            value = self._take(_NAME_TOKEN).lower()
            if self._peek() and self._peek() not in " \t\r\n\0\v>":
                raise _wrong(f"Unexpected end of name token at byte offset {self._byte(begin)}")
            return value
        self.at += 1
        value = ""
        while self._peek() not in (quote, ""):
            if self._peek() == "&":
                value += self._reference()
            else:
                value += self._peek()
                self.at += 1
        self.at += 1
        return value

    def _refuse_end(self, text: str, begin: int) -> None:
        if not self._peek():
            raise _wrong(f"{text} at byte offset {self._byte(begin)}")

    def _end_tag(self) -> None:
        begin = self.at
        if not self.open:
            raise _wrong(f"Unexpected end tag at byte offset {self._byte(begin)}")
        self.at += 2
        found = self._take(_TAG_NAME).lower()
        self._take(_SPACES)
        if self._peek() != ">":
            raise _wrong(f"Unclosed end tag at byte offset {self._byte(begin)}")
        self.at += 1
        expected = self.open[-1].tag
        if found and found != expected:
            raise _wrong(
                f"Unmatched end tag at byte offset {self._byte(begin)}, "
                f'expected "</{expected}>", found "</{found}>"'
            )
        self._close(self.open.pop())

    def _close(self, opened: _Open) -> None:
        length = self.offset - opened.offset
        if length == 0:
            return
        entity: Json = {"type": _KINDS[opened.tag], "offset": opened.offset, "length": length}
        if opened.tag == "a":
            entity["url"] = opened.argument or "".join(self.parts[opened.part :])
            if not is_link(entity["url"]):
                return
        elif opened.tag == "tg-emoji":
            if not opened.argument.isdigit():
                raise _wrong("Invalid custom emoji identifier specified")
            entity["custom_emoji_id"] = opened.argument
        elif opened.tag == "blockquote" and opened.argument:
            entity["type"] = "expandable_blockquote"
        elif opened.tag == "code" and opened.argument:
            entity["language"] = opened.argument
        elif opened.tag == "pre" and self._encloses_language(entity):
            entity["language"] = self.entities.pop()["language"]
        self.entities.append(entity)

    def _encloses_language(self, pre: Json) -> bool:
        last = self.entities[-1] if self.entities else {}
        same_stretch = (last.get("offset"), last.get("length")) == (pre["offset"], pre["length"])
        return same_stretch and last.get("type") == "code" and "language" in last


def is_link(url: str) -> bool:
    """Whether Telegram would make `url` clickable."""
    return re.fullmatch(r"(?:(?:https?|tg|ton)://)?[^\s/]+\.?[^\s]*", url) is not None and (
        "." in url or "://" in url
    )


def _wrong(text: str) -> ApiError:
    return bad_request(f"can't parse entities: {text}")
