"""What buttons under pictures say: read back as written, within Telegram's limit, and nothing else is."""

import pytest

from starbooth.domain.generations.choices import Shape
from starbooth.doors.bot.result_moves import Move, Verb, parse_move

ORDER = "c" + "a1" * 12


class TestMoves:
    @pytest.mark.parametrize(
        ("verb", "value"),
        [
            (Verb.VIEW, ""),
            (Verb.OVERVIEW, ""),
            (Verb.VARY, "999999"),
            (Verb.WORDS, ""),
            (Verb.SHAPES, ""),
            *((Verb.SHAPE, f"{shape}:999999") for shape in Shape),
            (Verb.KEEP, "1"),
            (Verb.KEEP, "0"),
            (Verb.ORIGINAL, ""),
            (Verb.DELETE, ""),
            (Verb.DELETE_NOW, ""),
        ],
    )
    def test_it_is_read_as_it_was_written(self, verb: Verb, value: str) -> None:
        move = Move(verb=verb, order_id=ORDER, number=39, value=value)
        assert len(str(move).encode()) <= 64
        assert parse_move(str(move)) == move

    def test_the_first_releases_button_varies_now(self) -> None:
        assert parse_move(f"like:{ORDER}:3") == Move(verb=Verb.VARY, order_id=ORDER, value="3")

    @pytest.mark.parametrize(
        "text",
        [
            None,
            "",
            "r:",
            f"r:z:{ORDER}:0",
            f"r:p:{ORDER}:40",
            f"r:p:{ORDER}:07",
            f"r:p:{ORDER}:-1",
            f"r:p:{ORDER}",
            f"r:p:{ORDER}:0:1",
            "r:p:somebody:0",
            f"r:v:{ORDER}:0",
            f"r:v:{ORDER}:0:free",
            f"r:v:{ORDER}:0:-3",
            f"r:s:{ORDER}:0:round:3",
            f"r:s:{ORDER}:0:square",
            f"r:k:{ORDER}:0:2",
            f"r:p:{ORDER}:0\n",
            f"like:{ORDER}",
            f"again:{ORDER}:3",
        ],
    )
    def test_nothing_else_is_read(self, text: str | None) -> None:
        assert parse_move(text) is None
