"""What an entry of the list means, and which ones are refused."""

import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from starbooth.domain.prompts.errors import PhraseRefused
from starbooth.domain.prompts.matching import LONGEST_ENTRY, Matcher, tidy_entry
from starbooth.domain.prompts.normalise import read


class TestEntries:
    @pytest.mark.parametrize(
        ("typed", "kept"),
        [
            ("Nude", "nude"),
            ("  little   GIRL* ", "little girl*"),
            ("nude| naked +child*|kid", "nude|naked + child*|kid"),
            ("裸", "裸"),
            ("1488", "1488"),
        ],
    )
    def test_they_are_kept_in_one_form(self, typed: str, kept: str) -> None:
        assert tidy_entry(typed) == kept
        assert tidy_entry(kept) == kept

    @pytest.mark.parametrize(
        "typed",
        [
            *("", " ", "*", "a", "ab*", "nu*de", "*nude", "nude**", "nude|", "nude +", "c++", "!!!"),
            "rock'n'roll",
            "x" * 61,
            "word " * (LONGEST_ENTRY // 5 + 1),
        ],
    )
    def test_what_would_refuse_too_much_or_nothing_is_refused(self, typed: str) -> None:
        with pytest.raises(PhraseRefused):
            tidy_entry(typed)


class TestFind:
    @pytest.mark.parametrize(
        ("entry", "prompt", "is_held"),
        [
            ("child*", "two children", True),
            ("child", "two children", False),
            ("little girl*", "a little girls' room", True),
            ("little girl*", "a girl, little by little", False),
            ("little girl*", "little. Girl", True),
            ("nude|naked + child*", "children on a beach, everybody naked", True),
            ("nude|naked + child*", "naked trees", False),
            ("nude|naked + child*", "children", False),
            ("nude + nude", "nude", True),
            ("nude child", "n.u.d.e.c.h.i.l.d", True),
            ("nude + child", "c h i l d, n u d e", True),
            ("裸 + 子供", "子供と裸の王様", True),
            ("child*", "chi", False),
        ],
    )
    def test_an_entry_is_held_or_not(self, entry: str, prompt: str, is_held: bool) -> None:
        assert Matcher([entry]).find([prompt]) == (entry if is_held else None)

    def test_the_first_entry_of_the_list_is_named(self) -> None:
        assert Matcher(["aa", "bb", "cc"]).find(["cc bb"]) == "bb"

    def test_parts_may_be_spread_over_the_texts(self) -> None:
        assert Matcher(["nude + child"]).find(["a nude", "a child"]) == "nude + child"

    def test_an_empty_list_allows_everything(self) -> None:
        assert Matcher([]).find(["n.u.d.e"]) is None

    @pytest.mark.parametrize(
        "prompt",
        [
            "n.u.d3 " * 285,
            "a1b1c1 aaabbbcccddd " * 100,
            "1a" * 1000,
            "aaabbb" * 333,
            "a" * 2000,
            "a b " * 500,
        ],
    )
    def test_the_ways_to_read_a_prompt_are_bounded(self, prompt: str) -> None:
        ways = [forms for reading in read(prompt) for forms in (*reading.words, *reading.spelled)]
        assert sum(map(len, ways)) < 10_000
        Matcher(["nude", "porn*", "little girl*", "x" * 60 + "*"]).find([prompt])


class TestSpelledLetterByLetter:
    @given(
        letters=st.lists(st.sampled_from("cat"), min_size=3, max_size=12).map("".join),
        between=st.sampled_from([" ", ".", " - ", "\n"]),
        entries=st.lists(st.text("cat", min_size=3, max_size=5), max_size=4, unique=True),
    )
    def test_an_entry_is_held_where_its_letters_stand_in_a_row(
        self, letters: str, between: str, entries: list[str]
    ) -> None:
        read_as = {form for reading in read(between.join(letters)) for run in reading.spelled for form in run}
        held = [entry for entry in entries if any(entry in form for form in read_as)]
        assert letters in read_as
        assert Matcher(entries).find([between.join(letters)]) == next(iter(held), None)

    def test_a_long_message_costs_a_look_for_each_entry_and_not_one_for_each_of_its_parts(self) -> None:
        entries = ["nude", "porn*", "little girl*", "x" * 60 + "*"]
        short, long = ("a b " * count for count in (100, 425))
        matcher = Matcher(entries)
        few, many = (steps_of(partial(matcher.find, [text])) for text in (short, long))
        assert many - few < 100 * (len(long) - len(short)) / 2


def steps_of(work: Callable[[], object]) -> int:
    """How many instructions of the matcher's own code are carried out: the same on every machine."""
    count = 0

    def watch(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        if frame.f_code.co_filename != Matcher.find.__code__.co_filename:
            return None
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return watch

    before = sys.gettrace()
    sys.settrace(watch)
    try:
        work()
    finally:
        sys.settrace(before)
    return count
