"""Telegram's MarkdownV2 parse mode: the grammar and the error texts of the official server's
`parse_markdown_v2`.

Not carried over: dates (`tg://time`) in `![...](...)`. Offsets of entities are UTF-16 units, of errors bytes.
"""

import re
from dataclasses import dataclass

from starbooth.playground.errors import ApiError, Json, bad_request
from starbooth.playground.found_entities import utf16_length
from starbooth.playground.html_text import is_link

_RESERVED = "_*[]()~`>#+-=|{}.!\n"
_MARKS = {"bold": "*", "code": "`", "pre": "```", "underline": "__", "strikethrough": "~", "spoiler": "||"}
_NAMES = {
    "bold": "Bold", "italic": "Italic", "code": "Code", "pre": "Pre", "underline": "Underline",
    "text_link": "TextUrl", "strikethrough": "Strikethrough", "spoiler": "Spoiler",
    "custom_emoji": "CustomEmoji", "blockquote": "BlockQuote",
}  # fmt: skip
_LANGUAGE = re.compile(r"([^\s`]+)(?=\s)")
_NEWLINE = re.compile(r"\r\n|\n\r|\n|\r")


@dataclass(frozen=True, slots=True)
class _Open:
    kind: str
    offset: int
    at: int
    part: int
    language: str = ""


def parse_markdown_v2(source: str) -> tuple[str, list[Json]]:
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
        self.in_quote = False
        self.can_start_quote = True

    def read(self) -> tuple[str, list[Json]]:
        while self.at < len(self.source):
            letter = self.source[self.at]
            if letter == "\\" and 0 < ord(self._ahead(1) or "\0") <= 126:
                self._write(self._ahead(1))
                self.at += 2
            elif letter not in self._reserved():
                self._write(letter)
                self.at += 1
            elif self._is_end(letter):
                self._end(letter)
            else:
                self._begin(letter)
        self._end_last_quote()
        if self.open:
            raise self._no_end(self.open[-1])
        return "".join(self.parts), self.entities

    def _ahead(self, count: int) -> str:
        position = self.at + count
        return self.source[position] if position < len(self.source) else ""

    def _write(self, text: str) -> None:
        self.parts.append(text)
        self.offset += utf16_length(text)
        self.can_start_quote = text == "\n"

    def _reserved(self) -> str:
        return "`" if self.open and self.open[-1].kind in ("code", "pre") else _RESERVED

    def _is_end(self, letter: str) -> bool:
        if not self.open:
            return False
        if self.in_quote and letter == "\n" and self._ahead(1) != ">":
            return True
        kind = self.open[-1].kind
        if kind == "italic":
            return letter == "_" and self._ahead(1) != "_"
        if kind in ("text_link", "custom_emoji"):
            return letter == "]"
        return kind in _MARKS and self.source.startswith(_MARKS[kind], self.at)

    def _begin(self, letter: str) -> None:
        begin = self.at
        if letter == "\n":
            self._write("\n")
            self.at += 1
            return
        if letter == ">" and self.can_start_quote:
            self.at += 1
            if not self.in_quote:
                self.in_quote = True
                self._open("blockquote", begin)
            return
        if letter == "`" and self.source.startswith("```", self.at):
            self._begin_pre(begin)
            return
        kind, width = self._kind(letter)
        self.at += width
        self._open(kind, begin)

    def _kind(self, letter: str) -> tuple[str, int]:
        twice = self._ahead(1) == letter
        if letter == "_":
            return ("underline", 2) if twice else ("italic", 1)
        if letter == "|" and twice:
            return "spoiler", 2
        if letter == "!" and self._ahead(1) == "[":
            return "custom_emoji", 2
        single = {"*": "bold", "~": "strikethrough", "[": "text_link", "`": "code"}
        if letter not in single:
            raise _wrong(f"Character '{letter}' is reserved and must be escaped with the preceding '\\'")
        return single[letter], 1

    def _begin_pre(self, begin: int) -> None:
        self.at += 3
        language = ""
        if named := _LANGUAGE.match(self.source, self.at):
            language = named.group()
            self.at = named.end()
        if newline := _NEWLINE.match(self.source, self.at):
            self.at = newline.end()
        self._open("pre", begin, language)

    def _open(self, kind: str, begin: int, language: str = "") -> None:
        self.open.append(_Open(kind, self.offset, begin, len(self.parts), language))

    def _end(self, letter: str) -> None:
        opened = self.open.pop()
        if letter == "\n":
            self._end_quote(opened)
            return
        self.at += len(_MARKS.get(opened.kind, "]"))
        entity: Json = {"type": opened.kind, "offset": opened.offset, "length": self.offset - opened.offset}
        if opened.language:
            entity["language"] = opened.language
        if opened.kind == "text_link":
            entity["url"] = self._url() if self._ahead(0) == "(" else "".join(self.parts[opened.part :])
            if not is_link(entity["url"]):
                return
        elif opened.kind == "custom_emoji":
            entity["custom_emoji_id"] = self._emoji_id()
        if entity["length"]:
            self.entities.append(entity)

    def _url(self) -> str:
        self.at += 1
        begin = self.at
        url = ""
        while self._ahead(0) not in (")", ""):
            if self._ahead(0) == "\\" and 0 < ord(self._ahead(1) or "\0") <= 126:
                self.at += 1
            url += self._ahead(0)
            self.at += 1
        if not self._ahead(0):
            raise _wrong(f"Can't find end of a URL at byte offset {self._byte(begin)}")
        self.at += 1
        return url

    def _emoji_id(self) -> str:
        if self._ahead(0) != "(":
            raise _wrong("The entity must contain a tg://emoji or tg://time URL")
        known = re.fullmatch(r"tg://emoji\?id=([0-9]{1,20})", self._url())
        if known is None:
            raise _wrong("Invalid tg://emoji or tg://time URL specified")
        return known.group(1)

    def _end_quote(self, opened: _Open) -> None:
        """A line that does not go on with `>` ends the quote; a `||` just before it makes the quote
        expandable.
        """
        is_expandable = opened.kind == "spoiler" and opened.at == self.at - 2
        if is_expandable:
            opened = self.open.pop()
        if opened.kind != "blockquote":
            raise self._no_end(opened)
        self._write("\n")
        self.at += 1
        self._add_quote(opened, is_expandable=is_expandable)

    def _end_last_quote(self) -> None:
        if not self.in_quote:
            return
        is_expandable = self.open[-1].kind == "spoiler" and self.open[-1].at == len(self.source) - 2
        if is_expandable:
            self.open.pop()
        if self.open[-1].kind == "blockquote":
            self._add_quote(self.open.pop(), is_expandable=is_expandable)

    def _add_quote(self, opened: _Open, *, is_expandable: bool) -> None:
        self.in_quote = False
        kind = "expandable_blockquote" if is_expandable else "blockquote"
        if length := self.offset - opened.offset:
            self.entities.append({"type": kind, "offset": opened.offset, "length": length})

    def _byte(self, position: int) -> int:
        return len(self.source[:position].encode())

    def _no_end(self, opened: _Open) -> ApiError:
        name = "PreCode" if opened.language else _NAMES[opened.kind]
        return _wrong(f"Can't find end of {name} entity at byte offset {self._byte(opened.at)}")


def _wrong(text: str) -> ApiError:
    return bad_request(f"can't parse entities: {text}")
