"""Friends who are brought: both are paid once, after the friend buys, and no further than the cap."""

import asyncio
from collections import Counter

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.gifts import referrals
from starbooth.domain.gifts.referrals import (
    claim_gift_news,
    note_gift_told,
    note_purchase,
    note_referral,
    pay_due,
    read_invitation,
)
from starbooth.domain.stars import buying
from tests.make.guests import make_guest, read_stars

CAP = 20


async def code_of(database: Database, user_id: str) -> str:
    async with database.transaction() as tx:
        return (await read_invitation(tx, user_id=user_id)).code


async def bring(database: Database, referrer: str) -> str:
    """A new friend who came by this guest's link."""
    friend = await make_guest(database)
    async with database.transaction() as tx:
        code = (await read_invitation(tx, user_id=referrer)).code
        assert await note_referral(tx, friend_id=friend, code=code)
    return friend


async def buy(database: Database, user_id: str, *, charge: str) -> str:
    """The guest pays for 50 stars; returns the purchase."""
    async with database.transaction() as tx:
        moved = await buying.credit_payment(
            tx, user_id=user_id, amount=50, charge_id=charge, purchase_id=None, facts={}
        )
        await note_purchase(tx, user_id=user_id)
    return moved.transaction_id


async def balances(database: Database, *user_ids: str) -> list[int]:
    return [(await read_stars(database, user_id))[0] for user_id in user_ids]


async def refusals(database: Database) -> list[str | None]:
    async with database.transaction() as tx:
        rows = await tx.execute(text("SELECT refusal FROM starbooth.referrals ORDER BY created_at"))
    return list(rows.scalars())


class TestReadInvitation:
    async def test_a_code_is_drawn_once_and_is_nobody_elses(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        first = await code_of(database, ada)
        assert len(first) == 16
        assert await code_of(database, ada) == first
        assert await code_of(database, bo) != first

    async def test_two_who_ask_at_once_get_the_same_code(self, database: Database) -> None:
        ada = await make_guest(database)
        assert len(set(await asyncio.gather(*(code_of(database, ada) for _ in range(6))))) == 1

    async def test_it_counts_who_came_and_who_was_rewarded(self, database: Database) -> None:
        ada = await make_guest(database)
        friend = await bring(database, ada)
        await bring(database, ada)
        await buy(database, friend, charge="a")
        await pay_due(database, reward_stars=10, cap=CAP)
        async with database.transaction() as tx:
            found = await read_invitation(tx, user_id=ada)
        assert (found.friends, found.rewarded) == (2, 1)


class TestNoteReferral:
    async def test_nobody_brings_themselves(self, database: Database) -> None:
        ada = await make_guest(database)
        code = await code_of(database, ada)
        async with database.transaction() as tx:
            assert not await note_referral(tx, friend_id=ada, code=code)

    @pytest.mark.parametrize("code", ["", "nobody", "' OR true --", "x" * 500])
    async def test_an_unknown_code_is_passed_over(self, database: Database, code: str) -> None:
        friend = await make_guest(database)
        async with database.transaction() as tx:
            assert not await note_referral(tx, friend_id=friend, code=code)

    async def test_the_first_link_stays(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        friend = await bring(database, ada)
        code = await code_of(database, bo)
        async with database.transaction() as tx:
            assert not await note_referral(tx, friend_id=friend, code=code)


class TestPayDue:
    async def test_nothing_is_due_before_the_friend_buys(self, database: Database) -> None:
        ada = await make_guest(database)
        friend = await bring(database, ada)
        assert await pay_due(database, reward_stars=10, cap=CAP) == 0
        assert await balances(database, ada, friend) == [0, 0]

    async def test_both_are_paid_once_however_often_the_friend_buys(self, database: Database) -> None:
        ada = await make_guest(database)
        friend = await bring(database, ada)
        await buy(database, friend, charge="a")
        assert await pay_due(database, reward_stars=10, cap=CAP) == 2
        await buy(database, friend, charge="b")
        assert await pay_due(database, reward_stars=10, cap=CAP) == 0
        assert await balances(database, ada, friend) == [10, 110]

    async def test_a_guest_whom_nobody_brought_pays_nobody(self, database: Database) -> None:
        await buy(database, await make_guest(database), charge="a")
        assert await pay_due(database, reward_stars=10, cap=CAP) == 0

    async def test_several_sweeps_at_once_pay_once(self, database: Database) -> None:
        ada = await make_guest(database)
        friends = [await bring(database, ada) for _ in range(4)]
        for number, friend in enumerate(friends):
            await buy(database, friend, charge=str(number))
        paid = await asyncio.gather(*(pay_due(database, reward_stars=10, cap=CAP) for _ in range(5)))
        assert sum(paid) == 8
        assert await balances(database, ada, *friends) == [40, 60, 60, 60, 60]

    async def test_beyond_the_cap_the_friend_is_paid_and_the_referrer_is_not(
        self, database: Database
    ) -> None:
        ada = await make_guest(database)
        friends = [await bring(database, ada) for _ in range(5)]
        for number, friend in enumerate(friends):
            await buy(database, friend, charge=str(number))
        await asyncio.gather(*(pay_due(database, reward_stars=10, cap=2) for _ in range(4)))
        assert await balances(database, ada, *friends) == [20, 60, 60, 60, 60, 60]
        assert Counter(await refusals(database)) == {None: 2, "cap": 3}
        assert await pay_due(database, reward_stars=10, cap=10) == 0

    async def test_a_death_between_the_two_leaves_the_second_to_the_next_sweep(
        self, database: Database
    ) -> None:
        ada = await make_guest(database)
        friend = await bring(database, ada)
        await buy(database, friend, charge="a")
        async with database.transaction() as tx:
            assert await referrals._pay_friend(tx, friend, 10)
        assert await balances(database, ada, friend) == [0, 60]
        # The operator has changed the sum meanwhile: both get what was promised when the first was paid.
        assert await pay_due(database, reward_stars=99, cap=CAP) == 1
        assert await balances(database, ada, friend) == [10, 60]

    async def test_a_purchase_that_went_back_before_does_not_count_and_the_next_one_does(
        self, database: Database
    ) -> None:
        ada = await make_guest(database)
        friend = await bring(database, ada)
        purchase = await buy(database, friend, charge="a")
        async with database.transaction() as tx:
            await buying.settle_refund(tx, purchase_id=purchase, facts={})
        assert await pay_due(database, reward_stars=10, cap=CAP) == 0
        await buy(database, friend, charge="b")
        assert await pay_due(database, reward_stars=10, cap=CAP) == 2

    async def test_where_the_operator_gives_nothing_it_lapses_for_good(self, database: Database) -> None:
        ada = await make_guest(database)
        friend = await bring(database, ada)
        await buy(database, friend, charge="a")
        assert await pay_due(database, reward_stars=0, cap=CAP) == 0
        assert await pay_due(database, reward_stars=10, cap=CAP) == 0
        assert await refusals(database) == ["no_reward"]

    async def test_a_full_purse_holds_up_nobody_else(self, database: Database) -> None:
        ada, bo = await make_guest(database, stars=1_000_000), await make_guest(database)
        async with database.transaction() as tx:  # no movement could bring it so far
            await tx.execute(
                text('UPDATE public."User" SET "stars" = 2147483647 WHERE "id" = :id'), {"id": ada}
            )
        first, second = await bring(database, ada), await bring(database, bo)
        await buy(database, first, charge="a")
        await buy(database, second, charge="b")
        assert await pay_due(database, reward_stars=10, cap=CAP) == 3
        assert await balances(database, first, bo, second) == [60, 10, 60]
        assert await refusals(database) == ["too_many_stars", None]


class TestNews:
    async def test_both_are_owed_the_news_once_and_nobody_else_sees_them(self, database: Database) -> None:
        ada = await make_guest(database)
        friend = await bring(database, ada)
        await buy(database, friend, charge="a")
        await pay_due(database, reward_stars=10, cap=CAP)
        async with database.transaction() as tx:
            claimed = await claim_gift_news(tx, limit=10)
        async with database.transaction() as tx:
            assert await claim_gift_news(tx, limit=10) == []
        assert {(news.kind, news.amount_stars, news.balance_stars) for news in claimed} == {
            ("friend", 10, 60),
            ("referrer", 10, 10),
        }
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.gift_news SET due_at = now()"))
            await note_gift_told(tx, key=claimed[0].key)
            assert [news.key for news in await claim_gift_news(tx, limit=10)] == [claimed[1].key]

    async def test_who_is_beyond_the_cap_is_told_nothing(self, database: Database) -> None:
        ada = await make_guest(database)
        await buy(database, await bring(database, ada), charge="a")
        await pay_due(database, reward_stars=10, cap=0)
        async with database.transaction() as tx:
            assert [news.kind for news in await claim_gift_news(tx, limit=10)] == ["friend"]
