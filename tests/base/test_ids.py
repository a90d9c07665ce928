"""Ids have the form that Prisma's cuid() has, and do not repeat."""

import re

from starbooth.base.ids import new_id


class TestNewId:
    def test_it_has_twenty_five_characters_the_first_a_c(self) -> None:
        for _ in range(1000):
            assert re.fullmatch(r"c[0-9a-z]{24}", new_id())

    def test_a_hundred_thousand_in_one_breath_are_all_different(self) -> None:
        assert len({new_id() for _ in range(100_000)}) == 100_000

    def test_a_later_one_never_has_an_earlier_time(self) -> None:
        times = [new_id()[:9] for _ in range(1000)]
        assert times == sorted(times)
