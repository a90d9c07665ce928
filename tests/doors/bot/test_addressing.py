"""What in a group is meant for us."""

import pytest

from starbooth.doors.bot.addressing import Addressed, read_address


def read(text: str) -> Addressed | None:
    return read_address(text, username="Booth_bot")


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
