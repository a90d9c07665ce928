"""Words that are drawn by a seed: the same for the same seed, and never anything that was not checked."""

import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from starbooth.domain.prompts.expand import MOST_DEPTH, Group, Line, parse, wildcards

seeds = st.integers(0, 2**63 - 1)
_MARKERS = re.compile("<random:|__", re.IGNORECASE)


@st.composite
def prompts(draw: st.DrawFn, depth: int = 0) -> str:
    """Text with groups, well formed and not, within each other."""
    words = st.text(alphabet=list("abc |>\\<_:"), max_size=8) | st.sampled_from(
        ["__colour__", "__zz__", "\\|"]
    )
    parts = []
    for _ in range(draw(st.integers(0, 3))):
        if depth < 2 and draw(st.booleans()):
            options = draw(st.lists(prompts(depth + 1), min_size=1, max_size=3))
            parts.append("<random:" + "|".join(options) + draw(st.sampled_from([">", ">", ">", ""])))
        else:
            parts.append(draw(words))
    return "".join(parts)


def draws(prompt: str, times: int = 60) -> set[str]:
    line = parse(prompt)
    return {line.draw(seed) for seed in range(times)}


class TestGroups:
    @pytest.mark.parametrize(
        ("prompt", "all_draws"),
        [
            ("a <random:red|blue> fox", {"a red fox", "a blue fox"}),
            ("<random: red | blue >!", {"red!", "blue!"}),
            ("<RANDOM:a|b>", {"a", "b"}),
            ("<random:a|<random:b|c> d>", {"a", "b d", "c d"}),
            ("<random:a||b>x", {"ax", "x", "bx"}),
            ("<random:only>", {"only"}),
            ("<random:a|b><random:c|d>", {"ac", "ad", "bc", "bd"}),
        ],
    )
    def test_one_option_is_drawn(self, prompt: str, all_draws: set[str]) -> None:
        assert draws(prompt) == all_draws

    @pytest.mark.parametrize(
        ("prompt", "all_draws"),
        [
            ("<random:a\\|b|c\\>d>", {"a|b", "c>d"}),
            ("<random:a\\\\|b>", {"a\\", "b"}),
            ("\\<random:a|b>", {"<random:a|b>"}),
            ("\\__colour__", {"__colour__"}),
            ("<random:\\<random:|x>", {"<random:", "x"}),
        ],
    )
    def test_a_backslash_takes_the_meaning_away(self, prompt: str, all_draws: set[str]) -> None:
        assert draws(prompt) == all_draws

    @pytest.mark.parametrize(
        "prompt",
        [
            "<random:a|b",
            "<random:>",
            "<random: | >",
            "random:a|b>",
            "< random:a|b>",
            "a > b | c",
            "a \\| b \\ c",
            "__nothing__",
            "\\__nothing__",
            "snake__colour__case",
            "__colour__s",
            "__ colour __",
            "a__b",
            "____",
        ],
    )
    def test_what_is_not_well_formed_stays(self, prompt: str) -> None:
        line = parse(prompt)
        assert (line.draw(1), line.has_groups, line.size) == (prompt, False, 1)

    def test_what_is_open_stays_and_what_stands_in_it_is_drawn(self) -> None:
        assert draws("<random:a|<random:b|c>") == {"<random:a|b", "<random:a|c"}

    def test_too_deep_stays(self) -> None:
        deep = "<random:" * (MOST_DEPTH + 1) + "x|y" + ">" * (MOST_DEPTH + 1)
        assert draws(deep) == {"<random:x|y>"}

    def test_two_thousand_characters_of_brackets_are_no_trouble(self) -> None:
        for prompt in (
            "<random:" * 250,
            "<random:a|" * 180 + ">" * 180,
            "|>" * 1000,
            "\\" * 2000,
            "__" * 1000,
        ):
            line = parse(prompt)
            assert len(line.draw(1)) <= line.longest <= 2000


class TestWildcards:
    def test_a_word_of_the_list_is_drawn_whatever_the_capitals(self) -> None:
        assert draws("a __Colour__ fox", 500) == {f"a {each} fox" for each in wildcards()["colour"]}

    def test_two_of_a_kind_are_drawn_apart(self) -> None:
        pairs = {tuple(parse("__season__/__season__").draw(seed).split("/")) for seed in range(200)}
        assert len(pairs) == 16

    def test_the_lists_are_fit_to_be_drawn_from(self) -> None:
        assert len(wildcards()) >= 8
        for name, options in wildcards().items():
            assert re.fullmatch("[a-z]+", name)
            assert 2 <= len(options) <= 40
            assert len(set(options)) == len(options)
            assert all(re.fullmatch(r"[a-z][a-z \-]*", option) for option in options)


class TestSeeds:
    def test_what_a_seed_draws_stays_so_for_ever(self) -> None:
        line = parse("<random:a|b|c|d|e|f> <random:a|b|c|d|e|f> __animal__")
        assert [line.draw(seed) for seed in (0, 1, 7, 2**63 - 1)] == [
            "c c fox",
            "b f deer",
            "a a otter",
            "f b deer",
        ]

    def test_every_option_comes_about_equally_often(self) -> None:
        line = parse("<random:a|b|c|d>")
        found = [line.draw(seed) for seed in range(4000)]
        assert all(800 < found.count(option) < 1200 for option in "abcd")


class TestProperties:
    @settings(deadline=None)
    @given(prompts(), seeds)
    def test_the_same_seed_says_the_same_and_never_more_than_the_longest(
        self, prompt: str, seed: int
    ) -> None:
        drawn = parse(prompt).draw(seed)
        assert drawn == parse(prompt).draw(seed)
        assert len(drawn) <= parse(prompt).longest

    @given(st.text(max_size=200), seeds)
    def test_a_prompt_without_a_marker_is_left_as_it_is(self, prompt: str, seed: int) -> None:
        assume(not _MARKERS.search(prompt))
        line = parse(prompt)
        assert (line.draw(seed), line.longest, line.size) == (prompt, len(prompt), 1)

    @settings(deadline=None)
    @given(prompts(), seeds)
    def test_the_lines_that_are_checked_hold_every_option_that_can_be_drawn(
        self, prompt: str, seed: int
    ) -> None:
        line = parse(prompt)
        assume(line.size <= 200)
        checked = [line.pick(place) for place in range(line.size)]
        for text in texts_drawn(line, seed):
            assert any(text in each for each in checked)

    @given(
        st.lists(st.sampled_from(["red", "blue", "<random:x|y>"]), min_size=1, max_size=4), st.integers(0, 3)
    )
    def test_a_bad_word_in_any_option_is_among_the_lines(self, options: list[str], place: int) -> None:
        for bad in ("BAD", "<random:p|<random:q|BAD>>", "__season__ BAD"):
            mixed = [*options[:place], bad, *options[place:]]
            line = parse(f"<random:1|2|3> a <random:{'|'.join(mixed)}> fox <random:4|5>")
            assert any("BAD" in line.pick(place) for place in range(line.size))


def texts_drawn(line: Line, seed: int) -> list[str]:
    """Every piece of text that stands in what this seed draws."""
    found: list[str] = []
    for part in line.parts:
        if isinstance(part, Group):
            (chosen,) = [each for each in part.options if each.draw(seed) == part.draw(seed)][:1]
            found += texts_drawn(chosen, seed)
        else:
            found.append(part)
    return found
