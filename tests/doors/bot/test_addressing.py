"""What in a group is meant for us."""

import pytest

from starbooth.doors.bot.addressing import Addressed, read_address


def read(text: str, *, is_reply_to_us: bool = False) -> Addressed | None:
    return read_address(text, username="Booth_bot", is_reply_to_us=is_reply_to_us)


class TestAddress:
    @pytest.mark.parametrize(
        ("text", "command", "words", "is_named"),
        [
            ("/paint a fox", "paint", "a fox", False),
            ("/PAINT@booth_BOT  a\nfox ", "paint", "a\nfox", True),
            ("/paint", "paint", "", False),
            ("@booth_bot a fox", None, "a fox", True),
            ("please, @Booth_bot, a fox", None, "please, , a fox", True),
            ("@booth_bot", None, "", True),
        ],
    )
    def test_commands_and_mentions_are_for_us(
        self, text: str, command: str | None, words: str, is_named: bool
    ) -> None:
        assert read(text) == Addressed(command=command, words=words, is_named=is_named)

    @pytest.mark.parametrize(
        "text",
        ["", "a fox", "/paint@other_bot a fox", "@booth_bots a fox", "x@booth_bot", "see /paint", "//paint"],
    )
    def test_all_else_is_not(self, text: str) -> None:
        assert read(text) is None

    def test_words_in_a_reply_are_for_us_but_a_command_to_another_bot_is_not(self) -> None:
        assert read("a fox ", is_reply_to_us=True) == Addressed(command=None, words="a fox", is_named=False)
        assert read("/paint@other_bot a fox", is_reply_to_us=True) is None
        assert read("", is_reply_to_us=True) is None
