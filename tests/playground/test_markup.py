"""`reply_markup`: what is kept of a keyboard, and every refusal."""

import json
from typing import Any

import pytest

from starbooth.playground.errors import ApiError
from starbooth.playground.markup import parse_inline_markup, parse_reply_markup


def inline(*buttons: Any) -> str:
    return json.dumps({"inline_keyboard": [list(buttons)]})


class TestWhatIsKept:
    def test_a_callback_button_is_kept_without_unknown_fields(self) -> None:
        markup = parse_reply_markup(inline({"text": " Again ", "callback_data": "a", "noise": 1}))
        assert markup == {"inline_keyboard": [[{"text": "Again", "callback_data": "a"}]]}

    def test_callback_data_may_have_64_bytes(self) -> None:
        assert parse_reply_markup(inline({"text": "a", "callback_data": "é" * 32})) is not None

    @pytest.mark.parametrize("text", ["", "null", '{"inline_keyboard": []}', "{}"])
    def test_an_empty_markup_is_none(self, text: str) -> None:
        assert parse_reply_markup(text) is None

    def test_a_reply_keyboard_takes_plain_words(self) -> None:
        markup = parse_reply_markup('{"keyboard": [["Yes", {"text": "No"}]], "resize_keyboard": true}')
        assert markup == {"keyboard": [[{"text": "Yes"}, {"text": "No"}]], "resize_keyboard": True}


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("{", "can't parse reply keyboard markup JSON object"),
            ("[]", "object expected as reply markup"),
            ('{"inline_keyboard": [1]}',
             'field "inline_keyboard" of the InlineKeyboardMarkup must be an Array of Arrays'),
            ('{"inline_keyboard": 1}', 'field "inline_keyboard" must be of type Array'),
            (inline(1), "can't parse inline keyboard button: InlineKeyboardButton must be an Object"),
            (inline({"callback_data": "a"}), "can't parse inline keyboard button: Can't find field \"text\""),
            (inline({"text": "a"}),
             "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"),
            (inline({"text": "a", "callback_data": ""}),
             "can't parse inline keyboard button: Text buttons are unallowed in the inline keyboard"),
            (inline({"text": " ", "callback_data": "a"}), "inline keyboard button text must be non-empty"),
            (inline({"text": "a", "callback_data": "é" * 33}), "BUTTON_DATA_INVALID"),
            (inline({"text": "a", "callback_data": 7}),
             'can\'t parse inline keyboard button: Field "callback_data" must be of type String'),
            (inline({"text": "a", "url": "nowhere"}),
             "inline keyboard button URL 'nowhere' is invalid: Wrong HTTP URL"),
            (inline({"text": "Pay", "pay": True}), "BUTTON_TYPE_INVALID"),
            (inline(*({"text": "a", "callback_data": "a"} for _ in range(101))), "reply markup is too long"),
        ],
    )  # fmt: skip
    def test_the_refusal_says_why(self, text: str, complaint: str) -> None:
        with pytest.raises(ApiError) as refused:
            parse_reply_markup(text)
        assert refused.value.description == f"Bad Request: {complaint}"

    def test_an_edit_takes_only_an_inline_keyboard(self) -> None:
        with pytest.raises(ApiError, match="Bad Request: inline keyboard expected"):
            parse_inline_markup('{"keyboard": [["Yes"]]}')
