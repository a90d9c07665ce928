"""Telegram's MarkdownV2: what becomes which entity, and what is refused."""

import pytest

from starbooth.playground.errors import ApiError, Json
from starbooth.playground.markdown_text import parse_markdown_v2


def entity(kind: str, offset: int, length: int, **more: str) -> Json:
    return {"type": kind, "offset": offset, "length": length, **more}


class TestWhatMarkdownMeans:
    @pytest.mark.parametrize(
        ("source", "text", "entities"),
        [
            (
                "*a* _b_ __c__",
                "a b c",
                [entity("bold", 0, 1), entity("italic", 2, 1), entity("underline", 4, 1)],
            ),
            ("~a~ ||b||", "a b", [entity("strikethrough", 0, 1), entity("spoiler", 2, 1)]),
            ("`a_b`", "a_b", [entity("code", 0, 3)]),
            ("```\na```", "a", [entity("pre", 0, 1)]),
            ("```py\na```", "a", [entity("pre", 0, 1, language="py")]),
            ("[a](https://a.example/\\))", "a", [entity("text_link", 0, 1, url="https://a.example/)")]),
            ("![🙂](tg://emoji?id=53)", "🙂", [entity("custom_emoji", 0, 2, custom_emoji_id="53")]),
            (">a\n>b\nc", "a\nb\nc", [entity("blockquote", 0, 4)]),
            (">a\n>b||", "a\nb", [entity("expandable_blockquote", 0, 3)]),
            ("1\\.5 \\*no\\*", "1.5 *no*", []),
            ("*a _b_*", "a b", [entity("italic", 2, 1), entity("bold", 0, 3)]),
        ],
    )
    def test_a_mark_becomes_its_entity(self, source: str, text: str, entities: list[Json]) -> None:
        assert parse_markdown_v2(source) == (text, entities)


class TestWhatMarkdownRefuses:
    @pytest.mark.parametrize(
        ("source", "complaint"),
        [
            ("a.b", "Character '.' is reserved and must be escaped with the preceding '\\'"),
            ("a > b", "Character '>' is reserved and must be escaped with the preceding '\\'"),
            ("a | b", "Character '|' is reserved and must be escaped with the preceding '\\'"),
            ("é *a", "Can't find end of Bold entity at byte offset 3"),
            ("```py\na", "Can't find end of PreCode entity at byte offset 0"),
            ("[a](b", "Can't find end of a URL at byte offset 4"),
            ("![a]", "The entity must contain a tg://emoji or tg://time URL"),
            ("![a](https://a.example)", "Invalid tg://emoji or tg://time URL specified"),
        ],
    )
    def test_the_refusal_names_what_and_where(self, source: str, complaint: str) -> None:
        with pytest.raises(ApiError) as refused:
            parse_markdown_v2(source)
        assert refused.value.description == f"Bad Request: can't parse entities: {complaint}"
