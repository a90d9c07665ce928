"""Fees for models of others: what so many pictures owe, and what is spent of a price that has them in it."""

from hypothesis import given
from hypothesis import strategies as st

from starbooth.domain.orders.fees import Fee, fees_stars, fit_fees, spend

PARTS = 4
fees_strategy = st.lists(
    st.builds(
        Fee,
        lora_id=st.just("l"),
        maker_id=st.just("m"),
        fee_stars=st.integers(0, 100),
        share_percent=st.integers(0, 100),
        free=st.integers(0, PARTS),
    ),
    max_size=3,
)


def fee(stars: int, *, free: int = 0) -> Fee:
    return Fee(lora_id="l", maker_id="m", fee_stars=stars, share_percent=50, free=free)


class TestSpend:
    def test_free_pictures_are_the_first_ones_that_come_out(self) -> None:
        # Four pictures at 3, the last of which costs 5 more: three that come out cost no fee.
        assert [spend([fee(5, free=3)], price_stars=17, parts=4, done=n) for n in range(5)] == [
            0,
            3,
            6,
            9,
            17,
        ]

    def test_fees_of_several_models_add_up(self) -> None:
        assert spend([fee(2), fee(5, free=1)], price_stars=3 * 2 + 4 + 5, parts=2, done=1) == 3 + 2

    @given(fees=fees_strategy, base=st.integers(0, 1000), done=st.integers(0, PARTS))
    def test_it_never_spends_more_than_the_price_and_all_of_it_for_all(
        self, fees: list[Fee], base: int, done: int
    ) -> None:
        price = base + fees_stars(fees, PARTS)
        assert fees_stars(fees, done) <= spend(fees, price_stars=price, parts=PARTS, done=done) <= price
        assert spend(fees, price_stars=price, parts=PARTS, done=PARTS) == price


class TestFitFees:
    def test_what_can_be_paid_stays_as_it_is(self) -> None:
        assert fit_fees([fee(2, free=1)], 4, most_stars=6) == (fee(2, free=1),)

    def test_a_fee_that_rose_leaves_more_pictures_free(self) -> None:
        assert fit_fees([fee(5)], 4, most_stars=12) == (fee(5, free=2),)

    def test_a_promise_below_the_bare_price_makes_all_free(self) -> None:
        assert fit_fees([fee(5)], 4, most_stars=-3) == (fee(5, free=4),)

    @given(fees=fees_strategy, most=st.integers(-10, 1000))
    def test_they_cost_no_more_than_can_be_paid(self, fees: list[Fee], most: int) -> None:
        fitted = fit_fees(fees, PARTS, most_stars=most)
        assert fees_stars(fitted, PARTS) <= max(0, most)
        assert all(was.free <= now.free <= PARTS for was, now in zip(fees, fitted, strict=True))
