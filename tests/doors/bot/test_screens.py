"""Screens: what each state of an order and each answer shows, within Telegram's limits whatever the words."""

import html
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from starbooth.base.errors import Refusal
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.generations.errors import CountRefused, PromptEmpty, PromptTooLong
from starbooth.domain.orders.end import OrderState
from starbooth.domain.orders.errors import NoSuchOrder, RequestKeyReused, TooLateToCancel, TooManyOrders
from starbooth.domain.orders.place import OrderKind
from starbooth.domain.orders.read import OrderView, Part
from starbooth.domain.stars.errors import AmountRefused, NotEnoughStars, TooManyStars
from starbooth.domain.users.guests import Language
from starbooth.doors.bot import answers
from starbooth.doors.bot.actions import Action, Verb, parse_action
from starbooth.doors.bot.commands import Command, describe_command
from starbooth.doors.bot.pieces import bar, length_utf16, shorten, wait
from starbooth.doors.bot.screens import render_order
from starbooth.doors.bot.words import words_for
from tests.doors.bot.test_words import Tags

ORDER = "c" + "a" * 24
LANGUAGES = list(Language)
ENGLISH = words_for(Language.ENGLISH)
FROZEN = {"base_model_id": "flux", "model_name": "Flux", "width_px": 1024, "height_px": 1024}


def view(**changes: object) -> OrderView:
    usual = OrderView(
        order_id=ORDER,
        kind=OrderKind.GENERATION,
        user_id="u",
        state=OrderState.HELD,
        request={"asked": {"prompt": "a red boat"}, "frozen": FROZEN},
        price_stars=3,
        spent_stars=None,
        parts=1,
        progress=0.0,
        position=1,
        wait=None,
        error_code=None,
        seeds=(2**63 - 1,),
        file_keys=(),
        pictures=(Part(number=0, seed=2**63 - 1, file_key=None, error_code=None),),
    )
    return replace(usual, **changes)  # type: ignore[arg-type]  # names are checked by `replace` itself


def done(**changes: object) -> OrderView:
    usual: dict[str, object] = {
        "state": OrderState.DONE,
        "spent_stars": 3,
        "progress": 1.0,
        "position": None,
        "file_keys": ("pictures/1/0.png",),
        "pictures": (Part(number=0, seed=2**63 - 1, file_key="pictures/1/0.png", error_code=None),),
    }
    return view(**{**usual, **changes})


def text_of(screen: Screen) -> str:
    return str(Markup(screen.html.replace("\n", " / ")).striptags())


def english(order: OrderView) -> str:
    return text_of(render_order(order, Language.ENGLISH))


def shown_length(screen: Screen) -> int:
    """Length after entities, as Telegram counts."""
    bare = screen.html
    for tag in ("b", "i", "code", "blockquote"):
        bare = bare.replace(f"<{tag}>", "").replace(f"</{tag}>", "")
    return length_utf16(html.unescape(bare))


class TestStates:
    def test_waiting_tells_the_place_and_the_wait(self) -> None:
        order = view(position=3, wait=timedelta(seconds=38))
        assert english(order) == "⏳ In the queue, place 3. Ready in about 40 s. / a red boat"

    def test_the_first_in_the_queue_is_next(self) -> None:
        assert english(view()) == "⏳ You are next. / a red boat"

    def test_waiting_can_be_cancelled_and_nothing_else_can(self) -> None:
        assert [button.action for row in render_order(view(), Language.ENGLISH).rows for button in row] == [
            f"cancel:{ORDER}"
        ]
        for state in (OrderState.RUNNING, OrderState.CANCELLED):
            order = view(state=state, position=None, spent_stars=None if state is OrderState.RUNNING else 0)
            assert render_order(order, Language.ENGLISH).rows == ()

    def test_painting_tells_how_far_it_is(self) -> None:
        order = view(state=OrderState.RUNNING, position=None, progress=0.45, wait=timedelta(seconds=4))
        assert english(order) == "🎨 Painting ▰▰▰▰▱▱▱▱▱▱ 45% / Ready in a few seconds. / a red boat"

    def test_a_picture_tells_its_price_and_seed(self) -> None:
        screen = render_order(done(), Language.ENGLISH)
        assert screen.file_key == "pictures/1/0.png"
        assert text_of(screen) == "a red boat / 3 stars · Flux · seed 9223372036854775807"

    def test_cancelled_tells_that_the_stars_are_back(self) -> None:
        order = view(state=OrderState.CANCELLED, position=None, spent_stars=0)
        assert english(order) == "Cancelled. All 3 stars are back with you. / a red boat"

    def test_one_star_is_not_all_stars(self) -> None:
        order = view(state=OrderState.CANCELLED, position=None, spent_stars=0, price_stars=1)
        assert "Your 1 star is back." in english(order)

    def test_a_free_order_gives_nothing_back(self) -> None:
        order = view(state=OrderState.CANCELLED, position=None, spent_stars=0, price_stars=0)
        assert "Nothing was charged." in english(order)


def album(state: OrderState, *results: str | None, **changes: object) -> OrderView:
    """An order for several pictures: each result is a file key, None for not yet, or "!" and a code."""
    pictures = tuple(
        Part(
            number=number,
            seed=100 + number,
            file_key=result if result and not result.startswith("!") else None,
            error_code=result[1:] if result and result.startswith("!") else None,
        )
        for number, result in enumerate(results)
    )
    usual: dict[str, object] = {
        "state": state,
        "request": {
            "asked": {"prompt": "a red boat"},
            "frozen": {"width_px": 1024, "height_px": 768, "model_name": "Flux <v1.1>"},
        },
        "parts": len(results),
        "price_stars": 3 * len(results),
        "position": None,
        "seeds": tuple(each.seed for each in pictures),
        "file_keys": tuple(each.file_key for each in pictures if each.file_key),
        "pictures": pictures,
    }
    return view(**{**usual, **changes})


class TestAlbums:
    def test_while_it_waits_tiles_in_the_pictures_shape_stand_above_it(self) -> None:
        screen = render_order(album(OrderState.HELD, None, None, position=1), Language.ENGLISH)
        assert text_of(screen) == "⏳ You are next. / a red boat"
        assert [(each.number, each.width_px, each.file_key, each.is_void) for each in screen.album] == [
            (0, 1024, None, False),
            (1, 1024, None, False),
        ]
        assert len(screen.rows) == 1

    def test_while_it_is_painted_what_is_there_is_shown_and_counted(self) -> None:
        screen = render_order(
            album(OrderState.RUNNING, "a", "!deadline", None, progress=0.5), Language.ENGLISH
        )
        assert text_of(screen) == "🎨 Painting ▰▰▰▰▰▱▱▱▱▱ 50% / 1 of 3 are there. / a red boat"
        assert [each.file_key for each in screen.album] == ["a", None, None]
        assert not any(each.is_void for each in screen.album)
        assert screen.album[0].html == "1 of 3 · seed <code>100</code>"

    def test_at_the_end_the_words_tell_cost_and_model(self) -> None:
        screen = render_order(album(OrderState.DONE, "a", "b", spent_stars=6), Language.ENGLISH)
        assert screen.html == ("<blockquote>a red boat</blockquote>\n6 stars · Flux &lt;v1.1&gt;")
        assert screen.file_key is None
        assert [[button.label for button in row] for row in screen.rows] == [
            ["Again · 6 ⭐"],
            ["🖼 1", "🖼 2"],
        ]

    def test_what_did_not_come_out_is_void_told_and_refunded(self) -> None:
        order = album(OrderState.DONE, "a", "!content_policy_violation", spent_stars=3)
        screen = render_order(order, Language.ENGLISH)
        assert [each.is_void for each in screen.album] == [False, True]
        assert text_of(screen) == (
            "a red boat / 3 stars · Flux <v1.1> / 1 picture did not come out; 3 stars came"
            " back to you. The painter's rules do not allow it. Other words may work."
        )

    def test_where_nothing_came_nothing_stands(self) -> None:
        results = ("!deadline", "!deadline")
        failed = album(OrderState.FAILED, *results, spent_stars=0, error_code="deadline")
        cancelled = album(OrderState.CANCELLED, None, None, spent_stars=0)
        assert english(failed).startswith("These pictures did not come out. It took longer")
        assert english(cancelled).startswith("Cancelled. All 6 stars are back with you.")
        for order in (failed, cancelled):
            assert all(each.is_void for each in render_order(order, Language.ENGLISH).album)

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_language_keeps_within_the_limits(self, language: Language) -> None:
        long = {
            "asked": {"prompt": "<&>" * 700},
            "frozen": {"width_px": 1, "height_px": 1, "model_name": "m"},
        }
        for order in (
            album(OrderState.RUNNING, "a", None, None, None, request=long),
            album(OrderState.DONE, "a", "b", "c", "!deadline", request=long, spent_stars=9),
        ):
            screen = render_order(order, language)
            Tags(screen.html)
            assert shown_length(screen) <= 1024
            for each in screen.album:
                Tags(each.html)
                assert "{" not in each.html


class TestFailures:
    @pytest.mark.parametrize(
        ("code", "reason"),
        [
            ("content_policy_violation", "The painter's rules do not allow it."),
            ("deadline", "It took longer than anybody should wait."),
            ("broken_picture", "The painter handed over something that is no picture."),
            ("no_picture", "The painter handed over something that is no picture."),
            ("invalid_input", "The painter could not make sense of the request."),
            ("cancelled", "The painter put it aside before it was finished."),
            ("engine_unavailable", "The painter is having trouble at the moment."),
            ("ticket_lost", "The painter is having trouble at the moment."),
            ("something_new", "Something went wrong on our side."),
            (None, "Something went wrong on our side."),
        ],
    )
    def test_each_reason_is_told_plainly_with_the_stars_that_are_back(
        self, code: str | None, reason: str
    ) -> None:
        order = view(state=OrderState.FAILED, position=None, spent_stars=0, error_code=code)
        screen = render_order(order, Language.ENGLISH)
        said = text_of(screen)
        assert said.startswith(f"This picture did not come out. {reason}")
        assert "All 3 stars are back with you." in said
        assert [(button.label, button.action) for row in screen.rows for button in row] == [
            ("Try again · 3 ⭐", f"retry:{ORDER}:3")
        ]


class TestLimits:
    @given(
        prompt=st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), max_size=2000)
        | st.text('<>&"😀ж\u202e👩‍👧', min_size=1500, max_size=2000),
        state=st.sampled_from(OrderState),
        language=st.sampled_from(Language),
        code=st.sampled_from(["content_policy_violation", "deadline", "x", None]),
    )
    def test_any_prompt_in_any_state_fits_and_is_valid(
        self, prompt: str, state: OrderState, language: Language, code: str | None
    ) -> None:
        is_done = state is OrderState.DONE
        order = view(
            state=state,
            request={"asked": {"prompt": prompt}, "frozen": FROZEN},
            price_stars=1_000_000,
            spent_stars=None if state in (OrderState.HELD, OrderState.RUNNING) else 1_000_000 * is_done,
            position=10**9 if state is OrderState.HELD else None,
            wait=timedelta(days=9),
            error_code=code,
            file_keys=("a",) if is_done else (),
        )
        screen = render_order(order, language)
        Tags(screen.html)
        assert 0 < shown_length(screen) <= (1024 if is_done else 4096)
        for row in screen.rows:
            for button in row:
                assert len(button.action.encode()) <= 64
                assert 0 < len(button.label) <= 40

    @given(st.text(max_size=3000), st.integers(5, 700))
    def test_shortening_keeps_within_the_limit_and_begins_alike(self, prompt: str, limit: int) -> None:
        short = shorten(prompt, limit=limit)
        assert length_utf16(short) <= limit
        assert " ".join(prompt.split()).startswith(short.removesuffix("…"))

    def test_it_is_cut_between_words(self) -> None:
        assert shorten("a red boat on the quiet sea", limit=16) == "a red boat on…"

    def test_a_family_is_not_left_holding_on(self) -> None:
        for limit in range(5, 40):
            assert "\u200d…" not in shorten("👩‍👩‍👧‍👦" * 3, limit=limit)


class TestPieces:
    @pytest.mark.parametrize(
        ("seconds", "said"),
        [
            (-5, "a few seconds"),
            (9, "a few seconds"),
            (11, "about 20\u00a0s"),
            (50, "about 50\u00a0s"),
            (55, "about 1\u00a0min"),
            (89, "about 1\u00a0min"),
            (600, "about 10\u00a0min"),
            (3599, "about 60\u00a0min"),
            (9000, "more than an hour"),
        ],
    )
    def test_waits_are_rounded(self, seconds: int, said: str) -> None:
        assert str(wait(ENGLISH, timedelta(seconds=seconds))) == said

    @pytest.mark.parametrize(
        ("progress", "filled"), [(0, 0), (0.09, 0), (0.3, 3), (0.99, 9), (1, 10), (7, 10)]
    )
    def test_a_bar_has_ten_cells(self, progress: float, filled: int) -> None:
        assert bar(progress) == "▰" * filled + "▱" * (10 - filled)


class TestActions:
    @given(st.sampled_from(Verb), st.none() | st.integers(0, 999_999_999))
    def test_what_a_button_says_is_read_back(self, verb: Verb, price_stars: int | None) -> None:
        action = Action(verb=verb, order_id=ORDER, price_stars=price_stars)
        assert parse_action(str(action)) == action

    @given(st.text())
    def test_anything_else_is_no_action(self, text: str) -> None:
        assert parse_action(text) is None


class TestRefusals:
    @pytest.mark.parametrize("language", LANGUAGES)
    @pytest.mark.parametrize(
        "refusal",
        [
            NotEnoughStars(price_stars=1_000_000, balance_stars=-1_000_000),
            TooManyOrders(limit=1000),
            PromptTooLong(length=4096, limit=2000),
            CountRefused(limit=4),
            PromptEmpty(),
            RequestKeyReused(),
            NoSuchOrder(),
            TooLateToCancel(),
            TooManyStars(),
            AmountRefused(0),
        ],
    )
    def test_each_fits_a_pop_up_and_bears_no_mark(self, refusal: Refusal, language: Language) -> None:
        said = answers.word_refusal(refusal, words_for(language))
        assert 10 < len(said) <= 200
        assert "<" not in said

    def test_different_refusals_are_told_differently(self) -> None:
        refusals = [PromptEmpty(), RequestKeyReused(), NoSuchOrder(), TooLateToCancel(), TooManyStars()]
        assert len({str(answers.word_refusal(refusal, ENGLISH)) for refusal in refusals}) == len(refusals)


class TestAnswers:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_the_profile_fits_telegrams_limits(self, language: Language) -> None:
        words = words_for(language)
        long_text, short_text = answers.describe_bot(words)
        assert len(long_text) <= 512
        assert len(short_text) <= 120
        for command in Command:
            assert 3 <= len(describe_command(command, words)) <= 256

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_long_names_and_large_numbers_stay_valid(self, language: Language) -> None:
        screen = answers.render_welcome(
            words_for(language), name="<&" * 64, gift_stars=0, balance_stars=-(10**6), price_stars=10**6
        )
        Tags(screen.html)
        assert shown_length(screen) < 4096


class TestDrawnWords:
    PROMPT = "a <random:red|blue> boat"

    def test_one_picture_quotes_what_was_drawn_for_it(self) -> None:
        request = {"asked": {"prompt": self.PROMPT}, "frozen": {**FROZEN, "words": "a blue boat"}}
        assert english(view(request=request)).endswith(f"/ {self.PROMPT}")
        assert english(done(request=request)).startswith("a blue boat / ")

    def test_a_trigger_word_alone_is_not_quoted(self) -> None:
        request = {"asked": {"prompt": "a boat"}, "frozen": {**FROZEN, "words": "sks, a boat"}}
        assert english(done(request=request)).startswith("a boat / ")

    def test_of_several_each_says_its_own_below_it(self) -> None:
        frozen = {**FROZEN, "each_words": ["a red boat", "a <i> boat"]}
        parts = tuple(Part(number=number, seed=number, file_key="k", error_code=None) for number in range(2))
        order = done(
            request={"asked": {"prompt": self.PROMPT}, "frozen": frozen},
            parts=2,
            pictures=parts,
            seeds=(0, 1),
            file_keys=("k", "k"),
        )
        screen = render_order(order, Language.ENGLISH)
        assert self.PROMPT in html.unescape(text_of(screen))
        captions = [str(tile.html) for tile in screen.album]
        assert captions[0].startswith("<blockquote>a red boat</blockquote>\n1 of 2")
        assert "a &lt;i&gt; boat" in captions[1]
