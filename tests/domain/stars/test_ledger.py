"""Every movement of stars, and every no."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from sqlalchemy import text

from starbooth.base.database import Database, Tx, driver_of
from starbooth.domain.stars.errors import (
    AmountRefused,
    HoldEndedOtherwise,
    KeyReused,
    NoSuchAccount,
    NoSuchHold,
    NotEnoughStars,
    ReasonMissing,
    TooManyStars,
)
from starbooth.domain.stars.ledger import (
    LARGEST_AMOUNT,
    Movement,
    credit_bonus,
    grant,
    hold,
    release,
    settle,
)
from starbooth.domain.stars.tables import TransactionType
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars

LARGEST_BALANCE = 2**31 - 1


async def do(database: Database, movement: Callable[..., Awaitable[Movement]], **values: Any) -> Movement:
    """One movement in a transaction of its own, with what a test does not care about filled in."""
    fillings: dict[Callable[..., Awaitable[Movement]], dict[str, Any]] = {
        hold: {"purpose": TransactionType.GENERATION, "facts": {}, "key": "hold"},
        credit_bonus: {"facts": {}, "key": "bonus"},
        grant: {"reason": "because", "operator": "ann", "key": "grant"},
        settle: {"facts": {}},
        release: {"facts": {}},
    }
    async with database.transaction() as tx:
        return await movement(tx, **(fillings[movement] | values))


async def read_rows(database: Database, user_id: str) -> list[tuple[str, int, str]]:
    """Type, amount and status of an account's ledger rows but the first bonus, in the order of writing."""
    async with database.transaction() as tx:
        rows = await tx.execute(
            text(
                'SELECT "type"::text, "amount", "status"::text FROM public."StarTransaction"'
                " WHERE \"userId\" = :id AND metadata ->> 'key' NOT LIKE 'made:%'"
                ' ORDER BY "createdAt", ctid'
            ),
            {"id": user_id},
        )
        return [(row[0], row[1], row[2]) for row in rows]


class TestHold:
    async def test_it_lowers_the_balance_at_once_and_spends_nothing_yet(self, database: Database) -> None:
        guest = await make_guest(database, stars=10)
        held = await do(database, hold, user_id=guest, price_stars=4)
        assert (held.balance_stars, held.is_repeat) == (6, False)
        assert await read_stars(database, guest) == (6, 0, 0)
        assert await read_rows(database, guest) == [("GENERATION", -4, "PENDING")]
        await assert_accounts_are_true(database)

    async def test_the_last_star_may_be_held(self, database: Database) -> None:
        guest = await make_guest(database, stars=4)
        assert (await do(database, hold, user_id=guest, price_stars=4)).balance_stars == 0

    async def test_one_star_short_is_refused_with_price_and_balance(self, database: Database) -> None:
        guest = await make_guest(database, stars=3)
        with pytest.raises(NotEnoughStars) as caught:
            await do(database, hold, user_id=guest, price_stars=4)
        assert (caught.value.price_stars, caught.value.balance_stars) == (4, 3)
        assert await read_stars(database, guest) == (3, 0, 0)
        assert await read_rows(database, guest) == []

    async def test_a_price_of_nothing_is_held_even_by_an_empty_account(self, database: Database) -> None:
        guest = await make_guest(database)
        await do(database, hold, user_id=guest, price_stars=0)
        assert await read_rows(database, guest) == [("GENERATION", 0, "PENDING")]

    async def test_a_refused_hold_may_be_tried_again_with_the_same_key(self, database: Database) -> None:
        guest = await make_guest(database, stars=3)
        with pytest.raises(NotEnoughStars):
            await do(database, hold, user_id=guest, price_stars=4, key="again")
        await do(database, credit_bonus, user_id=guest, amount=1)
        assert (await do(database, hold, user_id=guest, price_stars=4, key="again")).balance_stars == 0

    @pytest.mark.parametrize("price", [-1, LARGEST_AMOUNT + 1])
    async def test_a_price_that_gives_or_is_absurd_is_refused(self, database: Database, price: int) -> None:
        guest = await make_guest(database, stars=10)
        with pytest.raises(AmountRefused):
            await do(database, hold, user_id=guest, price_stars=price)
        assert await read_stars(database, guest) == (10, 0, 0)

    async def test_nobody_has_no_account(self, database: Database) -> None:
        with pytest.raises(NoSuchAccount):
            await do(database, hold, user_id="nobody", price_stars=1)

    async def test_of_two_at_once_with_stars_for_one_one_is_refused(self, database: Database) -> None:
        guest = await make_guest(database, stars=5)
        ends = await asyncio.gather(
            *(do(database, hold, user_id=guest, price_stars=5, key=f"k{n}") for n in range(8)),
            return_exceptions=True,
        )
        assert sum(isinstance(end, Movement) for end in ends) == 1
        assert sum(isinstance(end, NotEnoughStars) for end in ends) == 7
        assert await read_stars(database, guest) == (0, 0, 0)
        await assert_accounts_are_true(database)


class TestKeys:
    async def test_the_same_key_and_facts_repeat_the_first_answer(self, database: Database) -> None:
        guest = await make_guest(database, stars=10)
        first = await do(database, hold, user_id=guest, price_stars=4, facts={"order": "x"})
        again = await do(database, hold, user_id=guest, price_stars=4, facts={"order": "x"})
        assert again == Movement(transaction_id=first.transaction_id, balance_stars=6, is_repeat=True)
        assert await read_stars(database, guest) == (6, 0, 0)

    async def test_a_hold_is_repeated_even_where_the_stars_are_gone_since(self, database: Database) -> None:
        guest = await make_guest(database, stars=4)
        first = await do(database, hold, user_id=guest, price_stars=4)
        again = await do(database, hold, user_id=guest, price_stars=4)
        assert again.transaction_id == first.transaction_id
        assert again.is_repeat

    async def test_a_hold_is_repeated_even_where_it_has_ended_since(self, database: Database) -> None:
        guest = await make_guest(database, stars=4)
        first = await do(database, hold, user_id=guest, price_stars=4)
        await do(database, release, hold_id=first.transaction_id)
        assert (await do(database, hold, user_id=guest, price_stars=4)).is_repeat
        assert await read_stars(database, guest) == (4, 0, 0)

    @pytest.mark.parametrize(
        "other",
        [{"price_stars": 5}, {"facts": {"order": "y"}}, {"purpose": TransactionType.TRAINING}],
    )
    async def test_the_same_key_with_other_facts_is_an_error(
        self, database: Database, other: dict[str, Any]
    ) -> None:
        guest = await make_guest(database, stars=10)
        values: dict[str, Any] = {"user_id": guest, "price_stars": 4, "facts": {"order": "x"}}
        await do(database, hold, **values)
        with pytest.raises(KeyReused):
            await do(database, hold, **(values | other))
        assert await read_stars(database, guest) == (6, 0, 0)

    async def test_the_same_key_for_another_kind_of_movement_is_an_error(self, database: Database) -> None:
        guest = await make_guest(database, stars=10)
        await do(database, hold, user_id=guest, price_stars=4, key="one")
        with pytest.raises(KeyReused):
            await do(database, credit_bonus, user_id=guest, amount=4, key="one")

    async def test_the_same_key_of_another_account_is_an_error(self, database: Database) -> None:
        first, second = await make_guest(database, stars=5), await make_guest(database, stars=5)
        await do(database, hold, user_id=first, price_stars=1, key="one")
        with pytest.raises(KeyReused):
            await do(database, hold, user_id=second, price_stars=1, key="one")
        assert await read_stars(database, second) == (5, 0, 0)

    async def test_of_two_accounts_racing_for_a_key_one_gets_it_and_the_other_can_go_on(
        self, database: Database
    ) -> None:
        """The loser's transaction must live on: whoever asks may still want to read in it."""
        first, second = await make_guest(database, stars=5), await make_guest(database, stars=5)
        async with database.transaction() as winner:
            values: dict[str, Any] = {"purpose": TransactionType.GENERATION, "key": "one", "facts": {}}
            await hold(winner, user_id=first, price_stars=1, **values)

            async def lose() -> int:
                async with database.transaction() as loser:
                    with pytest.raises(KeyReused):
                        await hold(loser, user_id=second, price_stars=1, **values)
                    return int(await loser.scalar(text("SELECT 7")) or 0)

            losing = asyncio.create_task(lose())
            await asyncio.sleep(0.3)
            assert not losing.done()
        assert await losing == 7
        assert await read_stars(database, second) == (5, 0, 0)
        await assert_accounts_are_true(database)

    async def test_the_same_movement_sent_eight_times_at_once_moves_once(self, database: Database) -> None:
        guest = await make_guest(database, stars=10)
        moved = await asyncio.gather(*(do(database, hold, user_id=guest, price_stars=4) for _ in range(8)))
        assert sorted(each.is_repeat for each in moved) == [False] + [True] * 7
        assert len({each.transaction_id for each in moved}) == 1
        assert await read_stars(database, guest) == (6, 0, 0)


class TestSettle:
    async def test_the_whole_is_spent(self, database: Database) -> None:
        guest = await make_guest(database, stars=10)
        held = await do(database, hold, user_id=guest, price_stars=4)
        settled = await do(database, settle, hold_id=held.transaction_id, spent_stars=4)
        assert settled == Movement(transaction_id=held.transaction_id, balance_stars=6, is_repeat=False)
        assert await read_stars(database, guest) == (6, 4, 0)
        assert await read_rows(database, guest) == [("GENERATION", -4, "COMPLETED")]
        await assert_accounts_are_true(database)

    async def test_of_a_part_the_rest_goes_back_and_points_at_the_hold(self, database: Database) -> None:
        guest = await make_guest(database, stars=10)
        held = await do(database, hold, user_id=guest, price_stars=4)
        settled = await do(database, settle, hold_id=held.transaction_id, spent_stars=3, facts={"why": "x"})
        assert settled.balance_stars == 7
        assert await read_stars(database, guest) == (7, 3, 0)
        assert await read_rows(database, guest) == [
            ("GENERATION", -4, "COMPLETED"),
            ("REFUND", 1, "COMPLETED"),
        ]
        async with database.transaction() as tx:
            facts = await tx.scalar(
                text('SELECT metadata FROM public."StarTransaction" WHERE "type" = \'REFUND\'')
            )
        assert facts == {
            "key": f"refund:{held.transaction_id}",
            "refundOf": held.transaction_id,
            "why": "x",
        }
        await assert_accounts_are_true(database)

    async def test_a_hold_of_nothing_is_settled_with_nothing(self, database: Database) -> None:
        guest = await make_guest(database)
        held = await do(database, hold, user_id=guest, price_stars=0)
        await do(database, settle, hold_id=held.transaction_id, spent_stars=0)
        assert await read_rows(database, guest) == [("GENERATION", 0, "COMPLETED")]
        await assert_accounts_are_true(database)

    @pytest.mark.parametrize("spent", [0, 3, 4])
    async def test_twice_in_the_same_way_repeats_the_answer(self, database: Database, spent: int) -> None:
        guest = await make_guest(database, stars=10)
        held = await do(database, hold, user_id=guest, price_stars=4)
        first = await do(database, settle, hold_id=held.transaction_id, spent_stars=spent)
        again = await do(database, settle, hold_id=held.transaction_id, spent_stars=spent)
        assert (again.transaction_id, again.is_repeat) == (first.transaction_id, True)
        assert await read_stars(database, guest) == (10 - spent, spent, 0)
        await assert_accounts_are_true(database)

    @pytest.mark.parametrize(("first", "second"), [(4, 3), (3, 4), (4, 0), (0, 4), (3, 0), (1, 2), (4, 5)])
    async def test_twice_in_two_ways_is_an_error(self, database: Database, first: int, second: int) -> None:
        guest = await make_guest(database, stars=10)
        held = await do(database, hold, user_id=guest, price_stars=4)
        await do(database, settle, hold_id=held.transaction_id, spent_stars=first)
        with pytest.raises(HoldEndedOtherwise):
            await do(database, settle, hold_id=held.transaction_id, spent_stars=second)
        assert await read_stars(database, guest) == (10 - first, first, 0)

    @pytest.mark.parametrize("spent", [-1, 5])
    async def test_more_than_was_held_or_less_than_nothing_is_refused(
        self, database: Database, spent: int
    ) -> None:
        guest = await make_guest(database, stars=10)
        held = await do(database, hold, user_id=guest, price_stars=4)
        with pytest.raises(AmountRefused):
            await do(database, settle, hold_id=held.transaction_id, spent_stars=spent)
        assert await read_rows(database, guest) == [("GENERATION", -4, "PENDING")]

    async def test_a_hold_that_never_was_cannot_be_settled(self, database: Database) -> None:
        with pytest.raises(NoSuchHold):
            await do(database, settle, hold_id="nothing", spent_stars=1)

    async def test_a_bonus_is_no_hold(self, database: Database) -> None:
        guest = await make_guest(database)
        given = await do(database, credit_bonus, user_id=guest, amount=4)
        with pytest.raises(NoSuchHold):
            await do(database, settle, hold_id=given.transaction_id, spent_stars=4)
        with pytest.raises(NoSuchHold):
            await do(database, release, hold_id=given.transaction_id)

    async def test_settle_and_release_at_once_end_the_hold_once(self, database: Database) -> None:
        guest = await make_guest(database, stars=10)
        held = await do(database, hold, user_id=guest, price_stars=4)
        endings = [do(database, settle, hold_id=held.transaction_id, spent_stars=n) for n in (1, 2, 3, 4)]
        endings.append(do(database, release, hold_id=held.transaction_id))
        ends = await asyncio.gather(*endings, return_exceptions=True)
        assert sum(isinstance(end, Movement) for end in ends) == 1
        assert sum(isinstance(end, HoldEndedOtherwise) for end in ends) == 4
        await assert_accounts_are_true(database)


class TestRelease:
    async def test_all_goes_back(self, database: Database) -> None:
        guest = await make_guest(database, stars=10)
        held = await do(database, hold, user_id=guest, price_stars=4)
        released = await do(database, release, hold_id=held.transaction_id)
        assert released.balance_stars == 10
        assert await read_stars(database, guest) == (10, 0, 0)
        assert await read_rows(database, guest) == [
            ("GENERATION", -4, "REFUNDED"),
            ("REFUND", 4, "COMPLETED"),
        ]
        await assert_accounts_are_true(database)

    async def test_twice_repeats_the_answer(self, database: Database) -> None:
        guest = await make_guest(database, stars=10)
        held = await do(database, hold, user_id=guest, price_stars=4)
        await do(database, release, hold_id=held.transaction_id)
        assert (await do(database, release, hold_id=held.transaction_id)).is_repeat
        assert await read_stars(database, guest) == (10, 0, 0)

    async def test_what_was_settled_cannot_be_released(self, database: Database) -> None:
        guest = await make_guest(database, stars=10)
        held = await do(database, hold, user_id=guest, price_stars=4)
        await do(database, settle, hold_id=held.transaction_id, spent_stars=4)
        with pytest.raises(HoldEndedOtherwise):
            await do(database, release, hold_id=held.transaction_id)

    async def test_a_hold_of_nothing_can_be_released_twice(self, database: Database) -> None:
        guest = await make_guest(database)
        held = await do(database, hold, user_id=guest, price_stars=0)
        assert not (await do(database, release, hold_id=held.transaction_id)).is_repeat
        assert (await do(database, release, hold_id=held.transaction_id)).is_repeat
        await assert_accounts_are_true(database)

    async def test_a_hold_that_never_was_cannot_be_released(self, database: Database) -> None:
        with pytest.raises(NoSuchHold):
            await do(database, release, hold_id="nothing")


class TestCreditBonus:
    async def test_it_raises_the_balance_and_counts_as_neither_bought_nor_spent(
        self, database: Database
    ) -> None:
        guest = await make_guest(database)
        assert (await do(database, credit_bonus, user_id=guest, amount=20)).balance_stars == 20
        assert await read_stars(database, guest) == (20, 0, 0)
        assert await read_rows(database, guest) == [("BONUS", 20, "COMPLETED")]
        await assert_accounts_are_true(database)

    @pytest.mark.parametrize("amount", [0, -1, LARGEST_AMOUNT + 1])
    async def test_nothing_less_than_nothing_or_the_absurd_is_refused(
        self, database: Database, amount: int
    ) -> None:
        guest = await make_guest(database)
        with pytest.raises(AmountRefused):
            await do(database, credit_bonus, user_id=guest, amount=amount)

    async def test_a_balance_never_grows_past_what_the_column_holds(self, database: Database) -> None:
        guest = await make_guest(database)
        async with database.transaction() as tx:
            await tx.execute(
                text('UPDATE public."User" SET "stars" = :stars WHERE "id" = :id'),
                {"stars": LARGEST_BALANCE - 5, "id": guest},
            )
        with pytest.raises(TooManyStars):
            await do(database, credit_bonus, user_id=guest, amount=6)
        assert (await do(database, credit_bonus, user_id=guest, amount=5)).balance_stars == LARGEST_BALANCE


class TestGrant:
    async def test_an_operator_may_give(self, database: Database) -> None:
        guest = await make_guest(database)
        given = await do(database, grant, user_id=guest, amount=7, reason="  sorry for the wait ")
        assert given.balance_stars == 7
        async with database.transaction() as tx:
            facts = await tx.scalar(text('SELECT metadata FROM public."StarTransaction"'))
        assert facts == {"key": "grant", "reason": "sorry for the wait", "operator": "ann"}

    async def test_an_operator_may_take(self, database: Database) -> None:
        guest = await make_guest(database, stars=10)
        assert (await do(database, grant, user_id=guest, amount=-10)).balance_stars == 0
        assert await read_rows(database, guest) == [("ADMIN_GRANT", -10, "COMPLETED")]
        assert await read_stars(database, guest) == (0, 0, 0)
        await assert_accounts_are_true(database)

    async def test_no_more_can_be_taken_than_is_there(self, database: Database) -> None:
        guest = await make_guest(database, stars=10)
        with pytest.raises(NotEnoughStars):
            await do(database, grant, user_id=guest, amount=-11)
        assert await read_stars(database, guest) == (10, 0, 0)

    @pytest.mark.parametrize("reason", ["", "  \n "])
    async def test_a_reason_is_needed(self, database: Database, reason: str) -> None:
        guest = await make_guest(database)
        with pytest.raises(ReasonMissing):
            await do(database, grant, user_id=guest, amount=7, reason=reason)
        assert await read_rows(database, guest) == []

    @pytest.mark.parametrize("amount", [0, LARGEST_AMOUNT + 1, -LARGEST_AMOUNT - 1])
    async def test_nothing_and_the_absurd_are_refused(self, database: Database, amount: int) -> None:
        guest = await make_guest(database, stars=1)
        with pytest.raises(AmountRefused):
            await do(database, grant, user_id=guest, amount=amount)

    async def test_the_same_key_with_another_reason_is_an_error(self, database: Database) -> None:
        guest = await make_guest(database)
        await do(database, grant, user_id=guest, amount=7, reason="one")
        with pytest.raises(KeyReused):
            await do(database, grant, user_id=guest, amount=7, reason="two")


class TestBelowZero:
    """A chargeback may take a balance below zero; then nothing can be spent until it is made good."""

    async def test_nothing_can_be_held_and_stars_can_still_come(self, database: Database) -> None:
        guest = await make_guest(database, stars=2)
        async with database.transaction() as tx:
            await tx.execute(text('UPDATE public."User" SET "stars" = -3 WHERE "id" = :id'), {"id": guest})
        with pytest.raises(NotEnoughStars):
            await do(database, hold, user_id=guest, price_stars=1)
        assert (await do(database, credit_bonus, user_id=guest, amount=4)).balance_stars == 1
        assert (await do(database, hold, user_id=guest, price_stars=1)).balance_stars == 0


class TestOneRoundTrip:
    async def test_every_movement_is_one_statement(self, database: Database) -> None:
        guest = await make_guest(database, stars=100)
        async with database.transaction() as tx:
            statements = await count_statements(tx)
            await hold(
                tx,
                user_id=guest,
                price_stars=4,
                purpose=TransactionType.GENERATION,
                key="one",
                facts={},
            )
            await asyncio.sleep(0)  # asyncpg tells of a statement in the loop's next turn
            assert len(statements) == 1
            held = await hold(
                tx, user_id=guest, price_stars=4, purpose=TransactionType.TRAINING, key="two", facts={}
            )
            await settle(tx, hold_id=held.transaction_id, spent_stars=3, facts={})
            await credit_bonus(tx, user_id=guest, amount=1, key="three", facts={})
            await grant(tx, user_id=guest, amount=-1, reason="x", operator="ann", key="four")
            await asyncio.sleep(0)
            assert len(statements) == 5
            assert all(statement.count(";") == 0 for statement in statements)


async def count_statements(tx: Tx) -> list[str]:
    """The statements that this connection sends from now on."""
    statements: list[str] = []

    def note(sent: Any) -> None:
        statements.append(sent.query)

    (await driver_of(tx)).add_query_logger(note)
    return statements
