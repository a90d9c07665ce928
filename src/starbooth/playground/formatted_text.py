"""Text as a message carries it: parsed, cleaned, trimmed, measured, with its entities.

Follows the official server: `parse_mode` wins over explicit entities; lengths are counted in characters after
parsing.
"""

from dataclasses import dataclass
from typing import Any

from starbooth.playground.errors import Json, bad_request
from starbooth.playground.found_entities import find_entities, sort_entities, utf16_length
from starbooth.playground.html_text import parse_html
from starbooth.playground.markdown_text import parse_markdown_v2
from starbooth.playground.params import decode_json

MAX_TEXT_LENGTH = 4096
MAX_CAPTION_LENGTH = 1024

_SPANS = {
    "bold", "italic", "underline", "strikethrough", "spoiler", "code", "pre", "text_link", "text_mention",
    "custom_emoji", "blockquote", "expandable_blockquote",
}  # fmt: skip
_REQUIRED_FIELDS = {"text_link": "url", "text_mention": "user", "custom_emoji": "custom_emoji_id"}
_CONTROL = {code: " " for code in range(32) if code not in (9, 10, 13)}


@dataclass(frozen=True, slots=True)
class FormattedText:
    text: str
    entities: tuple[Json, ...] = ()

    def fields(self, text_key: str) -> Json:
        """The message fields for it: `text`/`entities` or `caption`/`caption_entities`; none for an empty
        text.
        """
        if not self.text:
            return {}
        fields: Json = {text_key: self.text}
        if self.entities:
            fields["entities" if text_key == "text" else "caption_entities"] = list(self.entities)
        return fields


def message_text(source: str, *, parse_mode: str = "", entities: Any = None) -> FormattedText:
    """The text of a text message. Raises: ApiError 400 when it is empty, too long or wrongly marked up."""
    if not source:
        raise bad_request("message text is empty")
    formatted = _format(source, parse_mode, entities)
    if not formatted.text:
        raise bad_request("text must be non-empty")
    if len(formatted.text) > MAX_TEXT_LENGTH:
        raise bad_request("message is too long")
    return formatted


def caption_text(source: str, *, parse_mode: str = "", entities: Any = None) -> FormattedText:
    """A caption, which may be empty. Raises: ApiError 400 when it is too long or wrongly marked up."""
    formatted = _format(source, parse_mode, entities)
    if len(formatted.text) > MAX_CAPTION_LENGTH:
        raise bad_request("message caption is too long")
    return formatted


def plain_text(source: str) -> FormattedText:
    """Text as a guest types it: no parse mode, commands and links found."""
    return _format(source, "", None)


def entities_field(text: str) -> Any:
    """The `entities` parameter, decoded; like the server, anything that is not JSON counts as absent."""
    if not text:
        return None
    try:
        return decode_json(text)
    except ValueError:
        return None


def _format(source: str, parse_mode: str, entities: Any) -> FormattedText:
    if len(_utf8(source)) > 1 << 15:
        raise bad_request("text is too long")
    mode = parse_mode.lower()
    spans: list[Json] = []
    if source and mode == "html":
        source, spans = parse_html(source.replace("\r", ""))
    elif source and mode == "markdownv2":
        source, spans = parse_markdown_v2(source.replace("\r", ""))
    elif source and mode == "markdown":
        raise bad_request("the playground has no parse_mode Markdown; use HTML or MarkdownV2")
    elif mode not in ("", "none", "html", "markdownv2", "markdown"):
        raise bad_request("unsupported parse_mode")
    elif isinstance(entities, list) and entities:
        spans = [_explicit_entity(entity) for entity in entities]
    else:
        source = source.replace("\r", "")
    text, spans = _trim(source.translate(_CONTROL), spans)
    return FormattedText(text, tuple(find_entities(text, _without_overlaps(spans))))


def _utf8(source: str) -> bytes:
    try:
        return source.encode()
    except UnicodeEncodeError:
        raise bad_request("strings must be encoded in UTF-8") from None


def _explicit_entity(entity: Any) -> Json:
    where = "can't parse MessageEntity: "
    if not isinstance(entity, dict):
        raise bad_request(where + "expected an Object")
    for field, kind, name in (("offset", int, "Number"), ("length", int, "Number"), ("type", str, "String")):
        if field not in entity:
            raise bad_request(f'{where}can\'t find field "{field}"')
        if not isinstance(entity[field], kind):
            raise bad_request(f'{where}field "{field}" must be of type {name}')
    for name in ("offset", "length"):
        if not 0 <= entity[name] <= 1_000_000:
            raise bad_request(f"receive an entity with incorrect {name} {entity[name]}")
    required = _REQUIRED_FIELDS.get(entity["type"])
    if required is not None and required not in entity:
        raise bad_request(f'{where}can\'t find field "{required}"')
    kept = ("type", "offset", "length", "url", "user", "language", "custom_emoji_id")
    return {name: entity[name] for name in kept if name in entity}


def _trim(text: str, entities: list[Json]) -> tuple[str, list[Json]]:
    """Cut white space at both ends as the server does: at the left only up to the first entity."""
    text = text.rstrip()
    total = utf16_length(text)
    cut = [
        {**entity, "length": min(entity["length"], total - entity["offset"])}
        for entity in entities
        if entity["type"] in _SPANS and entity["offset"] < total and entity["length"] > 0
    ]
    first = min((entity["offset"] for entity in cut), default=total)
    blanks = min(len(text) - len(text.lstrip(" \n")), first)
    return text[blanks:], [{**entity, "offset": entity["offset"] - blanks} for entity in cut]


def _without_overlaps(entities: list[Json]) -> list[Json]:
    """Nothing may stand inside code, and nothing twice over the same stretch."""
    kept: list[Json] = []
    for entity in sort_entities(entities):
        end = entity["offset"] + entity["length"]
        is_free = all(
            other["offset"] + other["length"] <= entity["offset"]
            or (
                other["type"] not in ("code", "pre")
                and other["offset"] + other["length"] >= end
                and other != entity
            )
            for other in kept
        )
        if is_free:
            kept.append(entity)
    return kept
