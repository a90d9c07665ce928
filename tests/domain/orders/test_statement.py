"""The statement: every movement that counts, its balance, and pages that hold together."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.crafts import all_crafts
from starbooth.domain.orders.statement import (
    Page,
    Place,
    StatementEntry,
    at_one_moment,
    read_newer,
    read_newest,
    read_older,
    walk,
)
from starbooth.domain.payments import refunds
from starbooth.domain.running.finish import cancel_waiting
from starbooth.domain.stars import buying, ledger
from starbooth.domain.stars.tables import TransactionStatus, TransactionType
from tests.make.guests import make_guest, read_stars
from tests.make.orders import place_pictures
from tests.make.payments import GUEST, open_invoice, pay, payment_of


async def newest(database: Database, user_id: str, *, limit: int = 8) -> Page:
    async with database.transaction() as tx:
        return await read_newest(tx, user_id=user_id, limit=limit)


async def older(database: Database, user_id: str, place: Place | None, *, limit: int = 8) -> Page:
    assert place is not None
    async with database.transaction() as tx:
        return await read_older(tx, place, user_id=user_id, limit=limit)


async def newer(database: Database, user_id: str, place: Place | None, *, limit: int = 8) -> Page:
    assert place is not None
    async with database.transaction() as tx:
        return await read_newer(tx, place, user_id=user_id, limit=limit)


async def whole(database: Database, user_id: str, *, most: int = 10_000) -> list[StatementEntry]:
    async with database.transaction() as tx:
        await at_one_moment(tx)
        return [entry async for entry in walk(tx, user_id=user_id, most=most)]


async def give(database: Database, user_id: str, count: int, *, first: int = 0) -> None:
    """So many gifts of 1, 2, 3 ... stars, several of them in the same millisecond."""
    async with database.transaction() as tx:
        for number in range(first, first + count):
            await ledger.credit_bonus(
                tx, user_id=user_id, amount=number + 1, key=f"{user_id}:{number}", facts={}
            )


async def fill(database: Database, user_id: str, rows: int, *, first: int = 0) -> None:
    """So many gifts of one star at once, five to a millisecond. `first`: keeps the ids of fillings apart."""
    async with database.transaction() as tx:
        await tx.execute(
            text("""
                INSERT INTO public."StarTransaction"
                    ("id", "userId", "amount", "type", "createdAt", "metadata")
                SELECT 'c' || lpad((:first + n)::text, 24, '0'), :id, 1, 'BONUS',
                    timezone('UTC', now()) - interval '1 ms' * (n / 5),
                    jsonb_build_object('key', 'f' || :first + n)
                FROM generate_series(1, :rows) n
            """),
            {"id": user_id, "rows": rows, "first": first},
        )
        await tx.execute(
            text('UPDATE public."User" SET "stars" = "stars" + :rows WHERE "id" = :id'),
            {"id": user_id, "rows": rows},
        )
        await tx.execute(text('ANALYZE public."StarTransaction"'))


def holds_together(entries: Sequence[StatementEntry], stars: int) -> bool:
    """Whether each balance is the one below it and this movement, from the account's own down to nothing."""
    balance = stars
    for entry in entries:
        if entry.balance_stars != balance:
            return False
        balance -= entry.amount
    return balance == 0


class TestEntries:
    async def test_an_order_tells_its_words_and_what_came_back_why(self, database: Database) -> None:
        ada = await make_guest(database, stars=20)
        placed = await place_pictures(database, ada, prompt="a blue door")
        held = (await newest(database, ada)).entries[0]
        assert (held.kind, held.status, held.amount) == (
            TransactionType.GENERATION,
            TransactionStatus.PENDING,
            -3,
        )
        assert (held.prompt, held.balance_stars) == ("a blue door", 17)
        async with database.transaction() as tx:
            await cancel_waiting(tx, crafts=all_crafts(), order_id=placed.order_id, user_id=ada)
        back, released, gift = (await newest(database, ada)).entries
        assert (back.kind, back.amount, back.balance_stars) == (TransactionType.REFUND, 3, 20)
        assert (back.prompt, back.reason, back.of_kind) == (
            "a blue door",
            "cancelled",
            TransactionType.GENERATION,
        )
        assert released.status is TransactionStatus.REFUNDED
        assert gift.balance_stars == 20

    async def test_an_invoice_that_nobody_paid_is_no_movement(self, database: Database) -> None:
        ada = await make_guest(database, telegram_id=GUEST)
        purchase = await open_invoice(database, ada)
        assert (await newest(database, ada)).entries == ()
        await pay(database, payment_of(purchase))
        assert [entry.amount for entry in (await newest(database, ada)).entries] == [265]

    async def test_a_refund_tells_its_reason_is_shown_under_way_and_not_when_refused(
        self, database: Database
    ) -> None:
        ada = await make_guest(database, telegram_id=GUEST)
        credited = await pay(database, payment_of(await open_invoice(database, ada)))
        async with database.transaction() as tx:
            begun = await refunds.begin(
                tx,
                charge_id=credited.charge_id,
                operator="telegram:1",
                reason="paid by mistake",
                is_forced=False,
            )
        entry = (await newest(database, ada)).entries[0]
        assert (entry.status, entry.amount, entry.balance_stars) == (TransactionStatus.PENDING, -265, 0)
        assert (entry.reason, entry.of_kind) == ("paid by mistake", TransactionType.PURCHASE)
        async with database.transaction() as tx:
            await buying.drop_refund(tx, refund_id=begun.refund_id, facts={"refused": "no"})
        assert [entry.amount for entry in (await newest(database, ada)).entries] == [265]

    async def test_nobody_sees_the_words_of_somebody_elses_order(self, database: Database) -> None:
        ada, bo = await make_guest(database, stars=20), await make_guest(database)
        placed = await place_pictures(database, ada, prompt="a secret")
        async with database.transaction() as tx:
            await ledger.credit_bonus(tx, user_id=bo, amount=1, key="x", facts={"orderId": placed.order_id})
        assert [entry.prompt for entry in (await newest(database, bo)).entries] == [None]


class TestPages:
    async def test_leafing_down_and_up_shows_every_row_once(self, database: Database) -> None:
        ada = await make_guest(database)
        await give(database, ada, 27)
        pages = [await newest(database, ada)]
        while pages[-1].older is not None:
            pages.append(await older(database, ada, pages[-1].older))
        seen = [entry for page in pages for entry in page.entries]
        assert [len(page.entries) for page in pages] == [8, 8, 8, 3]
        assert len({entry.entry_id for entry in seen}) == 27
        assert holds_together(seen, (await read_stars(database, ada))[0])
        assert pages[0].newer is None
        back = [pages[-1]]
        while back[-1].newer is not None:
            back.append(await newer(database, ada, back[-1].newer))
        assert [page.entries for page in reversed(back)] == [page.entries for page in pages]

    async def test_an_old_button_still_shows_its_page(self, database: Database) -> None:
        ada = await make_guest(database)
        await give(database, ada, 12)
        place = (await newest(database, ada)).older
        before = await older(database, ada, place)
        await give(database, ada, 30, first=100)
        assert (await older(database, ada, place)).entries == before.entries

    async def test_a_payment_of_an_older_invoice_is_counted_in_below(self, database: Database) -> None:
        ada = await make_guest(database, telegram_id=GUEST)
        await give(database, ada, 3)
        purchase = await open_invoice(database, ada)
        await give(database, ada, 10, first=3)
        page = await newest(database, ada)
        await pay(database, payment_of(purchase))
        below = await older(database, ada, page.older)
        top = await newest(database, ada)
        assert holds_together([*top.entries, *below.entries], (await read_stars(database, ada))[0])
        assert 265 in [entry.amount for entry in below.entries]

    async def test_somebody_elses_place_shows_only_ones_own(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database, stars=5)
        await give(database, ada, 12)
        place = (await newest(database, ada)).older
        assert {entry.amount for entry in (await older(database, bo, place)).entries} <= {5}

    async def test_where_nothing_happened_there_is_an_empty_page(self, database: Database) -> None:
        ada = await make_guest(database)
        assert await newest(database, ada) == Page(entries=(), older=None, newer=None)
        place = Place(
            at=datetime(2026, 1, 1),  # noqa: DTZ001 - as the contract stores it
            entry_id="c",
            balance_stars=0,
            read_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        assert (await older(database, ada, place)).entries == ()
        assert (await newer(database, ada, place)).entries == ()

    async def test_the_thousandth_page_reads_as_few_rows_as_the_first(self, database: Database) -> None:
        ada = await make_guest(database)
        await fill(database, await make_guest(database), 20_000, first=10_000)
        await fill(database, ada, 9000)
        entries = await whole(database, ada)
        deep = entries[8000]
        place = Place(
            at=deep.at,
            entry_id=deep.entry_id,
            balance_stars=deep.balance_stars - deep.amount,
            read_at=datetime.now(UTC) - timedelta(seconds=60),
        )
        statement = """
            EXPLAIN (ANALYZE, FORMAT JSON) SELECT t."id" FROM public."StarTransaction" t
            WHERE t."userId" = :id AND (t."status" IN ('COMPLETED', 'REFUNDED')
                OR (t."status" = 'PENDING' AND t."amount" < 0)) AND (t."createdAt", t."id") < (:at, :entry_id)
            ORDER BY t."createdAt" DESC, t."id" DESC LIMIT 9
        """
        async with database.transaction() as tx:
            plan = await tx.scalar(text(statement), {"id": ada, "at": place.at, "entry_id": place.entry_id})
            page = await read_older(tx, place, user_id=ada, limit=8)
        scan = plan[0]["Plan"]
        while "Plans" in scan:
            scan = scan["Plans"][0]
        assert scan["Index Name"] == "StarTransaction_history_idx"
        assert scan["Actual Rows"] == 9
        assert [entry.entry_id for entry in page.entries] == [e.entry_id for e in entries[8001:8009]]
        assert [e.balance_stars for e in page.entries] == [e.balance_stars for e in entries[8001:8009]]


class TestWalk:
    async def test_thousands_of_rows_come_in_order_and_hold_together(self, database: Database) -> None:
        ada = await make_guest(database)
        await fill(database, ada, 3500)
        entries = await whole(database, ada)
        assert len(entries) == 3500
        assert holds_together(entries, 3500)

    @pytest.mark.parametrize("most", [1, 999, 1000, 1001, 2500])
    async def test_it_ends_at_the_limit(self, database: Database, most: int) -> None:
        ada = await make_guest(database)
        await fill(database, ada, 2600)
        assert len(await whole(database, ada, most=most)) == most
