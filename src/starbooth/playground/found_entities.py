"""Entities that Telegram finds by itself in a plain text: commands, links, mentions, hashtags, e-mail
addresses.

Knows nothing of parse modes. Offsets and lengths are counted in UTF-16 units, as everywhere in the Bot API.
"""

import re

from starbooth.playground.errors import Json

_COMMAND = re.compile(r"(?<![\w/<>])/[A-Za-z0-9_]{1,64}(?:@[A-Za-z0-9_]{3,32})?(?![\w/<>])")
_EMAIL = re.compile(
    r"(?<![\w.+-])[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,4}(?![\w-])"
)
_URL = re.compile(
    r"(?<![\w@./-])(?:https?://[^\s<>\"']{3,2000}"
    r"|(?:[A-Za-z0-9-]{1,63}\.){1,5}(?:com|org|net|ai|io|me|dev|app|info)(?:/[^\s<>\"']{0,2000})?(?![\w-]))"
)
_MENTION = re.compile(r"(?<![\w@/])@[A-Za-z][A-Za-z0-9_]{3,31}(?!\w)")
_HASHTAG = re.compile(r"(?<![\w#&])#\w{0,255}[^\W\d]\w{0,255}")

_PATTERNS = (
    ("url", _URL, "."),
    ("email", _EMAIL, "@"),
    ("bot_command", _COMMAND, "/"),
    ("mention", _MENTION, "@"),
    ("hashtag", _HASHTAG, "#"),
)


def utf16_length(text: str) -> int:
    """Number of UTF-16 code units of `text`."""
    return len(text) if text.isascii() else len(text) + sum(1 for letter in text if letter > "\uffff")


def find_entities(text: str, known: list[Json]) -> list[Json]:
    """`known` and the entities found in `text`, sorted; what would overlap a known or an earlier one is
    left out.
    """
    entities = list(known)
    taken = [(entity["offset"], entity["offset"] + entity["length"]) for entity in known]
    for kind, pattern, hint in _PATTERNS:
        if hint not in text and kind != "url":
            continue
        for match in pattern.finditer(text):
            found = match.group().rstrip(".,:;!?)]}'\"") if kind == "url" else match.group()
            start = utf16_length(text[: match.start()])
            end = start + utf16_length(found)
            if found and all(end <= left or start >= right for left, right in taken):
                taken.append((start, end))
                entities.append({"type": kind, "offset": start, "length": end - start})
    return sort_entities(entities)


def sort_entities(entities: list[Json]) -> list[Json]:
    """Outer before inner, left before right."""
    return sorted(entities, key=lambda entity: (entity["offset"], -entity["length"]))
