"""Texts and captions: limits after parsing, trimming, explicit entities, what is found by itself."""

import json

import pytest

from starbooth.playground.errors import ApiError
from starbooth.playground.formatted_text import caption_text, message_text, plain_text


def refusal(source: str, **options: object) -> str:
    with pytest.raises(ApiError) as refused:
        message_text(source, **options)  # type: ignore[arg-type] # each test names the options it means
    return refused.value.description


class TestLimits:
    def test_an_empty_text_is_refused(self) -> None:
        assert refusal("") == "Bad Request: message text is empty"

    @pytest.mark.parametrize("source", ["   ", "\n\t ", "\x01"])
    def test_a_text_of_white_space_is_refused(self, source: str) -> None:
        assert refusal(source) == "Bad Request: text must be non-empty"

    def test_markup_without_a_text_is_refused(self) -> None:
        assert refusal("<b> </b>", parse_mode="HTML") == "Bad Request: text must be non-empty"

    def test_a_text_of_4096_characters_is_taken_and_one_more_is_not(self) -> None:
        assert len(message_text("я" * 4096).text) == 4096
        assert refusal("я" * 4097) == "Bad Request: message is too long"

    def test_markup_does_not_count(self) -> None:
        assert len(message_text(f"<b>{'a' * 4096}</b>", parse_mode="html").text) == 4096

    def test_a_caption_may_be_empty_and_has_1024_characters(self) -> None:
        assert caption_text("").text == ""
        assert len(caption_text("a" * 1024).text) == 1024
        with pytest.raises(ApiError, match="Bad Request: message caption is too long"):
            caption_text("a" * 1025)

    def test_an_unknown_parse_mode_is_refused(self) -> None:
        assert refusal("a", parse_mode="wiki") == "Bad Request: unsupported parse_mode"


class TestTrimming:
    def test_white_space_at_both_ends_goes(self) -> None:
        assert message_text("  \n a b \n\n").text == "a b"

    def test_entities_move_with_the_text(self) -> None:
        formatted = message_text("  a <b>b</b>  ", parse_mode="HTML")
        assert (formatted.text, formatted.entities) == ("a b", ({"type": "bold", "offset": 2, "length": 1},))

    def test_an_entity_at_the_end_shrinks_with_the_text(self) -> None:
        formatted = message_text("a <b>b  </b>", parse_mode="HTML")
        assert formatted.entities == ({"type": "bold", "offset": 2, "length": 1},)


class TestExplicitEntities:
    def test_they_are_kept(self) -> None:
        entities = [{"type": "bold", "offset": 0, "length": 2, "noise": 1}]
        assert message_text("🦊x", entities=entities).entities == (
            {"type": "bold", "offset": 0, "length": 2},
        )

    def test_a_parse_mode_wins_over_them(self) -> None:
        entities = [{"type": "bold", "offset": 0, "length": 1}]
        assert message_text("a", parse_mode="HTML", entities=entities).entities == ()

    @pytest.mark.parametrize(
        ("entity", "complaint"),
        [
            ({"type": "bold", "offset": 0}, "can't parse MessageEntity: can't find field \"length\""),
            ({"type": "bold", "offset": "0", "length": 1},
             'can\'t parse MessageEntity: field "offset" must be of type Number'),
            ({"type": "bold", "offset": -1, "length": 1}, "receive an entity with incorrect offset -1"),
            ({"type": "text_link", "offset": 0, "length": 1},
             "can't parse MessageEntity: can't find field \"url\""),
            ("bold", "can't parse MessageEntity: expected an Object"),
        ],
    )  # fmt: skip
    def test_a_wrong_one_is_refused(self, entity: object, complaint: str) -> None:
        assert refusal("a", entities=json.loads(json.dumps([entity]))) == f"Bad Request: {complaint}"


class TestWhatIsFound:
    @pytest.mark.parametrize(
        ("source", "found"),
        [
            ("/start", [("bot_command", "/start")]),
            ("see /help, or /a@starbooth_bot!",
             [("bot_command", "/help"), ("bot_command", "/a@starbooth_bot")]),
            ("and/or 1/2 </b", []),
            ("https://fal.ai/x?y=1. Or fal.ai", [("url", "https://fal.ai/x?y=1"), ("url", "fal.ai")]),
            ("ada@example.org #fox @starbooth_bot",
             [("email", "ada@example.org"), ("hashtag", "#fox"), ("mention", "@starbooth_bot")]),
            ("#1 @ab 3.5", []),
        ],
    )  # fmt: skip
    def test_commands_links_and_names_are_found(self, source: str, found: list[tuple[str, str]]) -> None:
        entities = plain_text(source).entities
        ends = [(one["type"], source[one["offset"] : one["offset"] + one["length"]]) for one in entities]
        assert ends == found

    def test_nothing_is_found_inside_code(self) -> None:
        formatted = message_text("<code>/start</code>", parse_mode="HTML")
        assert [one["type"] for one in formatted.entities] == ["code"]
