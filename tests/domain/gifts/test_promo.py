"""Promo codes: never more often than allowed, each guest once, and guessing is slow."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.errors import Refusal
from starbooth.domain.gifts.errors import (
    CodeRefused,
    CodeTaken,
    CodeTooOld,
    CodeUsedByYou,
    CodeUsedUp,
    NoSuchCode,
)
from starbooth.domain.gifts.promo import WRONG_CODES, Redeemed, add_code, list_codes, read_code, redeem
from starbooth.domain.orders.cart import Wish, read_cart, remember
from starbooth.domain.users.pace import TooOften
from tests.make.guests import make_guest, read_stars


async def make_code(
    database: Database, code: str = "SUMMER", *, stars: int = 7, uses: int = 10, days: int | None = None
) -> None:
    async with database.transaction() as tx:
        await add_code(tx, typed=code, amount_stars=stars, uses=uses, days=days, operator="command:test")


async def try_code(database: Database, user_id: str, typed: str, key: str = "tg:1:1") -> Redeemed | Refusal:
    """What became of it, as a door would do it: a refusal is rolled back, a wrong guess is not."""
    try:
        async with database.transaction() as tx:
            return await redeem(tx, user_id=user_id, typed=typed, request_key=key)
    except Refusal as refusal:
        return refusal


async def make_old(database: Database, table: str, column: str, age: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(f"UPDATE starbooth.{table} SET {column} = now() - interval '{age}'"))


class TestReadCode:
    @pytest.mark.parametrize("typed", ["summer", " SUM MER ", "Summer", "s u m m e r"])
    def test_capitals_and_blanks_do_not_matter(self, typed: str) -> None:
        assert read_code(typed) == "SUMMER"

    @pytest.mark.parametrize("typed", ["", "AB", "A" * 33, "SUMMER!", "ЛЕТО", "straße", "ſummer", "A\0BC"])
    def test_what_cannot_be_a_code_is_none(self, typed: str) -> None:
        assert read_code(typed) is None


class TestRedeem:
    async def test_a_code_gives_its_stars_once(self, database: Database) -> None:
        ada = await make_guest(database)
        await make_code(database)
        found = await try_code(database, ada, " summer")
        assert isinstance(found, Redeemed)
        assert (found.code, found.amount_stars, found.balance_stars) == ("SUMMER", 7, 7)
        assert isinstance(await try_code(database, ada, "SUMMER", "tg:1:2"), CodeUsedByYou)
        assert (await read_stars(database, ada))[0] == 7

    async def test_the_same_message_handled_twice_repeats_the_answer(self, database: Database) -> None:
        ada = await make_guest(database)
        await make_code(database, uses=1)
        await try_code(database, ada, "SUMMER")
        again = await try_code(database, ada, "SUMMER")
        assert isinstance(again, Redeemed)
        assert again.is_repeat
        async with database.transaction() as tx:
            assert (await list_codes(tx))[0].claims == 1

    async def test_fifty_guests_race_for_ten_uses_and_exactly_ten_win(self, database: Database) -> None:
        guests = [await make_guest(database) for _ in range(50)]
        await make_code(database, uses=10)
        ends = await asyncio.gather(
            *(try_code(database, guest, "SUMMER", f"tg:{n}:1") for n, guest in enumerate(guests))
        )
        assert Counter(type(end) for end in ends) == {Redeemed: 10, CodeUsedUp: 40}
        balances = [(await read_stars(database, guest))[0] for guest in guests]
        assert Counter(balances) == {7: 10, 0: 40}
        async with database.transaction() as tx:
            assert (await list_codes(tx))[0].claims == 10
            assert await tx.scalar(text("SELECT count(*) FROM starbooth.promo_claims")) == 10

    async def test_one_guest_who_sends_it_many_times_at_once_wins_once(self, database: Database) -> None:
        ada = await make_guest(database)
        await make_code(database)
        ends = await asyncio.gather(*(try_code(database, ada, "SUMMER", f"tg:1:{n}") for n in range(8)))
        assert Counter(type(end) for end in ends) == {Redeemed: 1, CodeUsedByYou: 7}
        assert (await read_stars(database, ada))[0] == 7

    async def test_a_code_that_is_too_old_gives_nothing(self, database: Database) -> None:
        ada = await make_guest(database)
        await make_code(database, days=1)
        await make_old(database, "promo_codes", "expires_at", "1 s")
        assert isinstance(await try_code(database, ada, "SUMMER"), CodeTooOld)
        assert (await read_stars(database, ada))[0] == 0

    async def test_who_used_it_is_told_so_even_when_it_is_used_up_or_old(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        await make_code(database, uses=1, days=1)
        await try_code(database, ada, "SUMMER")
        assert isinstance(await try_code(database, bo, "SUMMER"), CodeUsedUp)
        assert isinstance(await try_code(database, ada, "SUMMER", "tg:1:2"), CodeUsedByYou)
        await make_old(database, "promo_codes", "expires_at", "1 s")
        assert isinstance(await try_code(database, ada, "SUMMER", "tg:1:3"), CodeUsedByYou)

    async def test_what_waits_for_stars_is_funded(self, database: Database) -> None:
        ada = await make_guest(database)
        await make_code(database)
        wish = Wish(request_key="tg:1:9", user_id=ada, request={"prompt": "a boat"}, price_stars=3)
        async with database.transaction() as tx:
            await remember(tx, wish, life=timedelta(hours=1))
        found = await try_code(database, ada, "SUMMER")
        assert isinstance(found, Redeemed)
        assert found.waits
        async with database.transaction() as tx:
            cart = await read_cart(tx, user_id=ada)
        assert cart is not None
        assert cart.funded_at is not None


class TestGuessing:
    async def test_after_ten_wrong_codes_even_the_right_one_has_to_wait(self, database: Database) -> None:
        ada = await make_guest(database)
        await make_code(database)
        for number in range(WRONG_CODES.most):
            guess = await try_code(database, ada, f"GUESS{number}", f"tg:1:{number}")
            assert isinstance(guess, NoSuchCode)
        late = await try_code(database, ada, "SUMMER", "tg:1:90")
        assert isinstance(late, TooOften)
        assert timedelta(minutes=59) < late.wait <= timedelta(hours=1)
        await make_old(database, "guest_turns", "at", "1 hour")
        assert isinstance(await try_code(database, ada, "SUMMER", "tg:1:91"), Redeemed)

    async def test_a_guess_handled_twice_counts_once(self, database: Database) -> None:
        ada = await make_guest(database)
        for _ in range(WRONG_CODES.most + 2):
            assert isinstance(await try_code(database, ada, "GUESS", "tg:1:1"), NoSuchCode)

    async def test_guesses_at_once_are_counted_one_by_one(self, database: Database) -> None:
        ada = await make_guest(database)
        ends = await asyncio.gather(*(try_code(database, ada, "GUESS", f"tg:1:{n}") for n in range(14)))
        assert Counter(type(end) for end in ends) == {NoSuchCode: 10, TooOften: 4}

    async def test_others_are_not_slowed_down(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        await make_code(database)
        for number in range(WRONG_CODES.most):
            await try_code(database, ada, "GUESS", f"tg:1:{number}")
        assert isinstance(await try_code(database, bo, "SUMMER"), Redeemed)


class TestAddCode:
    async def test_a_code_of_the_same_name_is_refused(self, database: Database) -> None:
        await make_code(database)
        with pytest.raises(CodeTaken):
            await make_code(database, "sum mer", stars=9)

    @pytest.mark.parametrize(
        ("code", "stars", "uses", "days"),
        [
            ("AB", 1, 1, None),
            ("ABC!", 1, 1, None),
            ("ABC", 0, 1, None),
            ("ABC", -5, 1, None),
            ("ABC", 1_000_001, 1, None),
            ("ABC", 1, 0, None),
            ("ABC", 1, 1_000_001, None),
            ("ABC", 1, 1, 0),
            ("ABC", 1, 1, 3651),
        ],
    )
    async def test_what_is_no_sensible_code_is_refused(
        self, database: Database, code: str, stars: int, uses: int, days: int | None
    ) -> None:
        with pytest.raises(CodeRefused):
            await make_code(database, code, stars=stars, uses=uses, days=days)
        async with database.transaction() as tx:
            assert await list_codes(tx) == []

    async def test_who_made_it_is_written_down(self, database: Database) -> None:
        await make_code(database)
        async with database.transaction() as tx:
            deed = (await tx.execute(text("SELECT * FROM starbooth.operator_log"))).one()
        assert (deed.operator, deed.action, deed.subject) == ("command:test", "promo_add", "SUMMER")
