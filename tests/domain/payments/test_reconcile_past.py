"""Reconciliation of a bot with a past, of very many rows, and of differences that go and come back."""

from datetime import UTC, datetime

import pytest

from starbooth.base.database import Database, sql
from starbooth.base.ids import new_id
from starbooth.domain.payments.differences import Kind
from starbooth.domain.payments.reconcile import Report, reconcile
from starbooth.outside.telegram.star_rows import StarRow, parse_row
from tests.domain.payments.test_reconcile import AT_ONCE, Ledger, kinds, listed, run
from tests.make.guests import make_guest, read_stars
from tests.make.payments import GUEST, SHOP, open_invoice

LONG_AGO = 1_700_000_000


async def run_as_it_is(database: Database, bank: Ledger) -> Report:
    report = await reconcile(database, bank, shop=SHOP, patience=AT_ONCE)
    assert report is not None
    return report


def sold_by_another_program(number: int) -> StarRow:
    return listed(number, date=LONG_AGO + number)


def sold_now(number: int, payload: str) -> StarRow:
    partner = {**listed(number).body["source"], "invoice_payload": payload}
    return listed(number, source=partner, date=int(datetime.now(UTC).timestamp()))


def back(row: StarRow, *, at: int) -> StarRow:
    return parse_row({"id": row.id, "amount": row.amount_xtr, "date": at, "receiver": row.body["source"]})


async def alert_keys(database: Database) -> list[str]:
    async with database.transaction() as tx:
        rows = await tx.execute(sql("SELECT key FROM starbooth.alerts ORDER BY created_at, key"))
        return list(rows.scalars())


async def count_payments(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(sql("SELECT count(*) FROM starbooth.payments")) or 0)


async def write_purchase(database: Database, user_id: str, *, charge: str | None, at: str = "now") -> str:
    """A row that another program put into the ledger."""
    async with database.transaction() as tx:
        row = await tx.execute(
            sql(
                'INSERT INTO public."StarTransaction"'
                ' ("id", "userId", "amount", "type", "status", "telegramPaymentChargeId", "createdAt")'
                " VALUES (:id, :user, 1, 'PURCHASE', 'COMPLETED', :charge, "
                " CAST(CAST(:at AS text) AS timestamp))"
                ' RETURNING "id"'
            ),
            {"id": new_id(), "user": user_id, "charge": charge, "at": at},
        )
        await tx.execute(
            sql(
                'UPDATE public."User" SET "stars" = "stars" + 1, "totalBoughtStars" = "totalBoughtStars" + 1'
                ' WHERE "id" = :user'
            ),
            {"user": user_id},
        )
        return str(row.scalar_one())


class TestABotThatSoldSomethingElseBefore:
    async def test_its_past_is_credited_to_nobody_and_named_once_as_a_number_and_a_sum(
        self, database: Database
    ) -> None:
        bank = Ledger([sold_by_another_program(number) for number in range(20)])
        bank.rows.append(back(bank.rows[3], at=LONG_AGO + 50))
        report = await run_as_it_is(database, bank)
        assert [(each.kind, dict(each.facts)) for each in report.differences] == [
            (Kind.BEFORE_BOOTH, {"payments": 20, "xtr": 1000})
        ]
        assert report.is_clean
        assert (await run_as_it_is(database, bank)).differences == ()
        assert await count_payments(database) == 0
        assert len(await alert_keys(database)) == 1

    async def test_what_is_paid_once_the_booth_is_open_is_credited_whatever_its_payload(
        self, database: Database
    ) -> None:
        bank = Ledger([sold_by_another_program(1)])
        await run_as_it_is(database, bank)
        bank.rows.append(sold_now(2, "of an invoice that the backup does not have"))
        assert kinds(await run_as_it_is(database, bank)) == [Kind.CREDITED_LATE]
        assert await count_payments(database) == 1

    async def test_the_very_first_payment_is_credited_though_its_update_was_lost(
        self, database: Database
    ) -> None:
        user_id = await make_guest(database, telegram_id=GUEST)
        purchase = await open_invoice(database, user_id)
        partner = {**listed(1).body["source"], "invoice_payload": purchase.purchase_id}
        row = listed(1, amount=purchase.amount_xtr, source=partner, date=LONG_AGO)  # by a clock that is wrong
        report = await run_as_it_is(database, Ledger([sold_by_another_program(2), row]))
        assert Kind.CREDITED_LATE in kinds(report)
        assert await count_payments(database) == 1
        assert (await read_stars(database, user_id))[0] == purchase.amount_stars

    async def test_what_it_gives_back_now_of_its_past_is_not_taken_from_anybody(
        self, database: Database
    ) -> None:
        bank = Ledger([sold_by_another_program(1)])
        await run_as_it_is(database, bank)
        bank.rows.append(back(bank.rows[0], at=int(datetime.now(UTC).timestamp())))
        assert (await run_as_it_is(database, bank)).differences == ()
        assert await count_payments(database) == 0

    async def test_the_past_of_the_bot_that_takes_its_place_is_not_ours_either(
        self, database: Database
    ) -> None:
        await make_guest(database, telegram_id=GUEST)
        async with database.transaction() as tx:
            await tx.execute(sql("UPDATE starbooth.guests SET met_at = '2020-01-01'"))
        await run_as_it_is(database, Ledger([listed(1), listed(2)]))
        assert await count_payments(database) == 2
        report = await run_as_it_is(database, Ledger([listed(11), listed(12), listed(13)]))
        assert sorted(kinds(report)) == [Kind.BEFORE_BOOTH, Kind.LIST_ANEW]
        assert await count_payments(database) == 2


class TestVeryManyRows:
    async def test_all_lost_payments_are_credited_in_one_run_behind_those_that_never_can_be(
        self, database: Database, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("starbooth.domain.payments.differences._MOST_AT_ONCE", 5)
        rows = [listed(number, amount=0) for number in range(7)]
        rows += [listed(number, user=number) for number in range(7, 20)]
        rows += [back(row, at=int(row.at.timestamp())) for row in rows[8:]]
        for _ in range(2):
            report = await run(database, Ledger(rows))
            assert kinds(report).count(Kind.NOT_CREDITED) == 7
            assert not report.is_clean
        assert await count_payments(database) == 13
        async with database.transaction() as tx:
            assert await tx.scalar(sql("SELECT count(*) FROM starbooth.refunds WHERE state = 'done'")) == 12

    async def test_a_hundred_old_differences_hide_no_new_one(self, database: Database) -> None:
        user_id = await make_guest(database, telegram_id=GUEST)
        for number in range(100):
            await write_purchase(database, user_id, charge=f"a{number:03d}")
        await run(database, Ledger())
        await write_purchase(database, user_id, charge="forged", at="2020-01-01")
        report = await run(database, Ledger())
        assert report.differences[0].subject == "forged"
        assert "difference:unknown_payment:forged" in await alert_keys(database)
        await run(database, Ledger())
        assert len(await alert_keys(database)) == 101

    async def test_purchases_without_a_charge_are_named_one_by_one(self, database: Database) -> None:
        user_id = await make_guest(database, telegram_id=GUEST)
        rows = {await write_purchase(database, user_id, charge=None) for _ in range(2)}
        report = await run(database, Ledger())
        assert {each.subject for each in report.differences} == rows
        assert await alert_keys(database) == sorted(f"difference:unknown_payment:{row}" for row in rows)


class TestBalance:
    async def test_a_difference_that_went_and_came_back_is_told_again_and_one_that_stays_is_not(
        self, database: Database
    ) -> None:
        told = []
        for odd in (50, 50, 0, 50, 50, 60):
            await run(database, Ledger([listed(1)], odd_nanos=odd * 10**9))
            told.append(sum("balance" in key for key in await alert_keys(database)))
        assert told == [1, 1, 1, 2, 2, 3]
