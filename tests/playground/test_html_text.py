"""Telegram's HTML: what becomes which entity, and every refusal in the server's own words."""

import pytest

from starbooth.playground.errors import ApiError, Json
from starbooth.playground.formatted_text import message_text
from starbooth.playground.html_text import parse_html


def entity(kind: str, offset: int, length: int, **more: str) -> Json:
    return {"type": kind, "offset": offset, "length": length, **more}


class TestWhatHtmlMeans:
    @pytest.mark.parametrize(
        ("source", "text", "entities"),
        [
            ("<b>a</b><strong>b</strong>", "ab", [entity("bold", 0, 1), entity("bold", 1, 1)]),
            ("<i>a</i><em>b</em>", "ab", [entity("italic", 0, 1), entity("italic", 1, 1)]),
            ("<u>a</u><ins>b</ins>", "ab", [entity("underline", 0, 1), entity("underline", 1, 1)]),
            ("<s>a</s><del>b</del>", "ab", [entity("strikethrough", 0, 1), entity("strikethrough", 1, 1)]),
            ("<tg-spoiler>a</tg-spoiler>", "a", [entity("spoiler", 0, 1)]),
            ('<span class="tg-spoiler">a</span>', "a", [entity("spoiler", 0, 1)]),
            ("<code>a</code>", "a", [entity("code", 0, 1)]),
            ("<pre>a</pre>", "a", [entity("pre", 0, 1)]),
            ('<pre><code class="language-py">a</code></pre>', "a", [entity("pre", 0, 1, language="py")]),
            ('<code class="language-py">a</code>', "a", [entity("code", 0, 1)]),
            ("<blockquote>a</blockquote>", "a", [entity("blockquote", 0, 1)]),
            ("<blockquote expandable>a</blockquote>", "a", [entity("expandable_blockquote", 0, 1)]),
            ('<a href="https://a.example/?x=1&amp;y=2">a</a>', "a",
             [entity("text_link", 0, 1, url="https://a.example/?x=1&y=2")]),
            ("<a href='no link'>a</a>", "a", []),
            ('<tg-emoji emoji-id="53">🙂</tg-emoji>', "🙂",
             [entity("custom_emoji", 0, 2, custom_emoji_id="53")]),
            ("<b></b>nothing", "nothing", []),
            ("&lt;b&gt; &amp; &quot; &#233; &#x1F600; &nbsp; &", '<b> & " é 😀 &nbsp; &', []),
            ("<B>a</b>", "a", [entity("bold", 0, 1)]),
        ],
    )  # fmt: skip
    def test_a_tag_becomes_its_entity(self, source: str, text: str, entities: list[Json]) -> None:
        assert parse_html(source) == (text, entities)

    def test_offsets_are_counted_in_utf16(self) -> None:
        _, entities = parse_html("🦊 <b>é🦊</b>")
        assert entities == [entity("bold", 3, 3)]

    def test_nested_tags_give_nested_entities_outer_first(self) -> None:
        formatted = message_text("<b>a <i>b</i></b>", parse_mode="HTML")
        assert list(formatted.entities) == [entity("bold", 0, 3), entity("italic", 2, 1)]

    def test_nothing_is_formatted_inside_code(self) -> None:
        formatted = message_text("<code>a <b>b</b></code>", parse_mode="HTML")
        assert list(formatted.entities) == [entity("code", 0, 3)]


class TestWhatHtmlRefuses:
    @pytest.mark.parametrize(
        ("source", "complaint"),
        [
            ("<div>a</div>", 'Unsupported start tag "div" at byte offset 0'),
            ("é<br>", 'Unsupported start tag "br" at byte offset 2'),
            ("2 < 3", 'Unsupported start tag "" at byte offset 2'),
            ("<b", "Unclosed start tag at byte offset 0"),
            ("<b>a", 'Can\'t find end tag corresponding to start tag "b"'),
            ("a</b>", "Unexpected end tag at byte offset 1"),
            ("<b>a</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
            ("<b>a</b", "Unclosed end tag at byte offset 4"),
            ("<span>a</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
            ('<a ="x">a</a>', 'Empty attribute name in the tag "a" at byte offset 0'),
            ("<a href=x:y>a</a>", "Unexpected end of name token at byte offset 8"),
            ('<a href="x', "Unclosed start tag at byte offset 0"),
            ("<a href", 'Unclosed start tag "a" at byte offset 0'),
            ("<tg-emoji>a</tg-emoji>", "Invalid custom emoji identifier specified"),
        ],
    )
    def test_the_refusal_names_what_and_where(self, source: str, complaint: str) -> None:
        with pytest.raises(ApiError) as refused:
            parse_html(source)
        assert refused.value.description == f"Bad Request: can't parse entities: {complaint}"
        assert refused.value.code == 400
