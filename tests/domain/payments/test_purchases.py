"""Invoices: one open at a time, one link each, and an end where nobody pays."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.payments.purchases import Purchase, PurchaseKind, close_expired, create_link
from starbooth.domain.stars.errors import NoSuchAccount
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars
from tests.make.payments import GUEST, PACK, PLAN, SHOP, open_invoice, pay, payment_of


@pytest.fixture
async def ada(database: Database) -> str:
    return await make_guest(database, telegram_id=GUEST)


async def age(database: Database, hours: float) -> None:
    """Let time pass for all invoices."""
    async with database.transaction() as tx:
        await tx.execute(
            text("UPDATE starbooth.purchases SET expires_at = expires_at - CAST(:age AS interval)"),
            {"age": timedelta(hours=hours)},
        )


async def close(database: Database, *, limit: int = 100) -> int:
    async with database.transaction() as tx:
        return await close_expired(tx, limit=limit)


async def statuses(database: Database) -> list[str]:
    async with database.transaction() as tx:
        rows = await tx.execute(
            text('SELECT "status"::text FROM public."StarTransaction" ORDER BY "createdAt", "id"')
        )
        return list(rows.scalars())


class TestOpening:
    async def test_it_waits_and_gives_nothing(self, database: Database, ada: str) -> None:
        purchase = await open_invoice(database, ada)
        assert (purchase.amount_stars, purchase.amount_xtr, purchase.link) == (265, 250, None)
        assert len(purchase.purchase_id.encode()) <= 128
        assert await statuses(database) == ["PENDING"]
        assert await read_stars(database, ada) == (0, 0, 0)

    async def test_many_at_once_are_one(self, database: Database, ada: str) -> None:
        opened = await asyncio.gather(*(open_invoice(database, ada) for _ in range(8)))
        assert len({purchase.purchase_id for purchase in opened}) == 1

    async def test_it_is_used_again_until_half_its_life_is_over(self, database: Database, ada: str) -> None:
        first = await open_invoice(database, ada)
        await age(database, 11.9)
        assert (await open_invoice(database, ada)).purchase_id == first.purchase_id
        await age(database, 0.2)
        assert (await open_invoice(database, ada)).purchase_id != first.purchase_id

    async def test_another_pack_guest_or_kind_has_its_own(self, database: Database, ada: str) -> None:
        bo = await make_guest(database)
        opened = [
            await open_invoice(database, ada),
            await open_invoice(database, bo),
            await open_invoice(database, ada, pack=PLAN),
            await open_invoice(database, ada, kind=PurchaseKind.PLAN),
        ]
        assert len({purchase.purchase_id for purchase in opened}) == 4

    async def test_a_paid_one_is_not_used_again(self, database: Database, ada: str) -> None:
        first = await open_invoice(database, ada)
        await pay(database, payment_of(first))
        assert (await open_invoice(database, ada)).purchase_id != first.purchase_id

    async def test_nobody_is_nobody(self, database: Database) -> None:
        with pytest.raises(NoSuchAccount):
            await open_invoice(database, "c" * 25)


class TestLinks:
    async def test_a_purchase_has_one_link(self, database: Database, ada: str) -> None:
        asked: list[str] = []

        async def ask(purchase: Purchase) -> str:
            asked.append(purchase.purchase_id)
            return f"https://t.me/${len(asked)}"

        async def link() -> str:
            return await create_link(
                database,
                ask,
                user_id=ada,
                kind=PurchaseKind.PACK,
                pack=PACK,
                life=SHOP.invoice_life,
            )

        at_once = await asyncio.gather(link(), link())
        assert len(set(at_once)) == 1
        assert await link() == at_once[0]
        assert len(asked) <= 2
        assert len(set(asked)) == 1

    async def test_one_that_telegram_would_not_make_is_asked_for_again(
        self, database: Database, ada: str
    ) -> None:
        async def fail(_purchase: Purchase) -> str:
            raise ConnectionError

        async def work(_purchase: Purchase) -> str:
            return "https://t.me/$1"

        wanted = {"user_id": ada, "kind": PurchaseKind.PACK, "pack": PACK, "life": SHOP.invoice_life}
        with pytest.raises(ConnectionError):
            await create_link(database, fail, **wanted)  # type: ignore[arg-type]
        assert await create_link(database, work, **wanted) == "https://t.me/$1"  # type: ignore[arg-type]
        assert await statuses(database) == ["PENDING"]


class TestClosing:
    async def test_an_hour_of_grace_then_it_has_failed(self, database: Database, ada: str) -> None:
        await open_invoice(database, ada)
        await age(database, 24.9)
        assert await close(database) == 0
        await age(database, 0.2)
        assert await close(database) == 1
        assert await close(database) == 0
        assert await statuses(database) == ["FAILED"]

    async def test_a_payment_in_the_grace_is_not_late(self, database: Database, ada: str) -> None:
        purchase = await open_invoice(database, ada)
        await age(database, 24.5)
        assert (await pay(database, payment_of(purchase))).flag is None

    async def test_a_paid_one_stays_paid(self, database: Database, ada: str) -> None:
        await pay(database, payment_of(await open_invoice(database, ada)))
        await age(database, 48)
        assert await close(database) == 0
        assert await statuses(database) == ["COMPLETED"]

    async def test_several_sweeps_and_payments_at_once_lose_nothing(
        self, database: Database, ada: str
    ) -> None:
        opened = [await open_invoice(database, await make_guest(database)) for _ in range(10)]
        mine = await open_invoice(database, ada)
        await age(database, 26)
        await asyncio.gather(*(close(database, limit=4) for _ in range(4)), pay(database, payment_of(mine)))
        await close(database)
        assert (await read_stars(database, ada))[0] == 265
        assert len(opened) == 10
        await assert_accounts_are_true(database)
