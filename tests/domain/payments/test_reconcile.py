"""Reconciliation: payments and refunds that nobody told us of, both books, the balance, the cursor."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from starbooth.base.database import Database, sql
from starbooth.domain.payments.bank import Bank
from starbooth.domain.payments.differences import Kind, Patience
from starbooth.domain.payments.reconcile import Report, is_due, read_last, reconcile
from starbooth.domain.payments.refunds import RefundState, carry_out
from starbooth.domain.users.operators import claim_alerts
from starbooth.outside.telegram.errors import TelegramUnavailable
from starbooth.outside.telegram.star_rows import StarBalance, StarRow, parse_row
from starbooth.outside.telegram.stars import TelegramStars
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import read_stars
from tests.make.payments import SHOP
from tests.make.till import Till
from tests.playground.guest import Stars

AT_ONCE = Patience(fresh=timedelta(seconds=-5), late=timedelta())
REFUNDED = [("PURCHASE", 50, "REFUNDED"), ("REFUND", -50, "COMPLETED")]


async def open_long_ago(database: Database) -> None:
    """The booth is older than any row of these lists, of which nobody else's count."""
    async with database.transaction() as tx:
        await tx.execute(
            sql(
                "INSERT INTO starbooth.reconciliations (at, cursor, rows_read, report, is_clean)"
                """ SELECT '2020-01-01', 0, 0, '{"is_begun_anew": true}', false"""
                " WHERE NOT EXISTS (SELECT FROM starbooth.reconciliations)"
            )
        )


async def run(database: Database, bank: Bank, patience: Patience = AT_ONCE) -> Report:
    await open_long_ago(database)
    report = await reconcile(database, bank, shop=SHOP, patience=patience)
    assert report is not None
    return report


def kinds(report: Report) -> list[Kind]:
    return [each.kind for each in report.differences]


def listed(number: int, *, amount: int = 50, user: int = 7, **fields: Any) -> StarRow:
    partner = {
        "type": "user",
        "transaction_type": "invoice_payment",
        "user": {"id": user, "is_bot": False, "first_name": "Ada"},
        "invoice_payload": f"p{number}",
    }
    row = {"id": f"stx_{number}", "amount": amount, "date": 1_764_000_000 + number, "source": partner}
    return parse_row({**row, **fields})


class Ledger:
    """A bank with a list that the test writes; the balance is what it adds up to, unless told otherwise."""

    def __init__(self, rows: Sequence[StarRow] = (), *, odd_nanos: int = 0) -> None:
        self.rows = list(rows)
        self.odd_nanos = odd_nanos
        self.offsets: list[int] = []

    async def refund(self, *, telegram_id: int, charge_id: str) -> None:
        raise NotImplementedError

    async def list_transactions(self, *, offset: int, limit: int) -> list[StarRow]:
        self.offsets.append(offset)
        return self.rows[offset : offset + limit]

    async def balance(self) -> StarBalance:
        total = sum(
            (row.amount_xtr * 10**9 + row.nanos) * (1 if row.direction == "in" else -1) for row in self.rows
        )
        whole, nanos = divmod(total + self.odd_nanos, 10**9)
        return StarBalance(amount_xtr=whole, nanos=nanos)


class TestLostPayments:
    async def test_a_payment_whose_update_was_lost_is_credited_once_and_told(
        self, database: Database, till: Till, bank: TelegramStars
    ) -> None:
        sale = await till.sell(is_credited=False)
        report = await run(database, bank)
        assert kinds(report) == [Kind.CREDITED_LATE]
        assert report.is_clean
        assert await read_stars(database, sale.user_id) == (50, 0, 50)
        assert (await till.credit(sale)).is_repeat  # the update comes after all
        again = await run(database, bank)
        assert again.differences == ()
        assert await read_stars(database, sale.user_id) == (50, 0, 50)
        assert (await till.alerts()).count("difference") == 1
        await assert_accounts_are_true(database)

    async def test_a_fresh_payment_is_left_to_its_update(
        self, database: Database, till: Till, bank: TelegramStars
    ) -> None:
        sale = await till.sell(is_credited=False)
        report = await run(database, bank, Patience())
        assert report.differences == ()
        assert await read_stars(database, sale.user_id) == (0, 0, 0)
        assert kinds(await run(database, bank)) == [Kind.CREDITED_LATE]

    async def test_the_bot_and_many_reconcilers_in_the_same_moment_credit_once(
        self, database: Database, till: Till, bank: TelegramStars
    ) -> None:
        sales = [await till.sell(is_credited=False) for _ in range(5)]
        reports, credited = await asyncio.gather(
            asyncio.gather(
                *(reconcile(database, bank, shop=SHOP, patience=AT_ONCE) for _ in range(4)),
            ),
            asyncio.gather(*(till.credit(sale) for sale in sales)),
        )
        assert any(report is not None for report in reports)
        by_update = sum(not each.is_repeat for each in credited)
        by_list = sum(kinds(report).count(Kind.CREDITED_LATE) for report in reports if report)
        await run(database, bank)
        assert by_update + by_list == 5
        assert await read_stars(database, sales[0].user_id) == (250, 0, 250)
        await assert_accounts_are_true(database)

    async def test_one_that_cannot_be_credited_holds_up_no_other_and_is_named_each_time_but_told_once(
        self, database: Database
    ) -> None:
        bank = Ledger([listed(1, amount=0), listed(2)])
        for _ in range(2):
            report = await run(database, bank)
            assert Kind.NOT_CREDITED in kinds(report)
            assert not report.is_clean
        async with database.transaction() as tx:
            alerts = await claim_alerts(tx, limit=10)
            charges = (await tx.execute(sql("SELECT charge_id FROM starbooth.payments"))).scalars().all()
        assert charges == ["stx_2"]
        subjects = [each.facts["subject"] for each in alerts if each.kind == "difference"]
        assert sorted(subjects) == ["stx_1", "stx_2"]

    async def test_rows_of_every_other_kind_are_kept_and_credited_to_nobody(self, database: Database) -> None:
        bank = Ledger(
            [
                listed(1, source={"type": "telegram_ads"}),
                listed(
                    2, source={"type": "user", "transaction_type": "paid_media_payment", "user": {"id": 7}}
                ),
                listed(3, source={"type": "of_next_year", "who": ["?"]}, nanostar_amount=500_000_000),
            ]
        )
        report = await run(database, bank)
        assert report.differences == ()
        assert report.balance is not None
        assert report.balance.telegram_nanos == 150_500_000_000
        async with database.transaction() as tx:
            assert await tx.scalar(sql("SELECT count(*) FROM starbooth.telegram_transactions")) == 3
            assert await tx.scalar(sql("SELECT count(*) FROM starbooth.payments")) == 0


class TestReturns:
    async def test_a_chargeback_without_a_message_is_found(
        self, database: Database, till: Till, bank: TelegramStars, stars: Stars
    ) -> None:
        sale = await till.sell()
        await stars.chargeback(sale.charge_id)
        report = await run(database, bank)
        assert kinds(report) == [Kind.REFUND_FOUND]
        assert report.is_clean
        assert await till.rows() == REFUNDED
        assert "payment_returned" in await till.alerts()
        assert (await run(database, bank)).differences == ()
        await assert_accounts_are_true(database)

    async def test_a_chargeback_of_spent_stars_leaves_the_balance_below_zero(
        self, database: Database, till: Till, bank: TelegramStars, stars: Stars
    ) -> None:
        sale = await till.sell()
        await till.spend(sale, 40)
        await stars.chargeback(sale.charge_id)
        await run(database, bank)
        assert await read_stars(database, sale.user_id) == (-40, 40, 0)

    async def test_a_refund_under_way_ends_well_by_the_list_alone(
        self, database: Database, till: Till, bank: TelegramStars
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        await till.guest.add_fault("dropped_after", method="refundstarpayment")
        assert await carry_out(database, bank, begun.refund_id) is RefundState.ASKED
        report = await run(database, bank)
        assert report.differences == ()
        assert await till.rows() == REFUNDED
        assert "payment_returned" not in await till.alerts()

    async def test_a_refund_that_is_due_is_asked_for(
        self, database: Database, till: Till, bank: TelegramStars
    ) -> None:
        sale = await till.sell()
        await till.begin(sale)  # and its process died
        await run(database, bank)
        assert await till.rows() == REFUNDED
        assert (await till.guest.wallet()).xtr == 1000

    async def test_a_payment_and_its_refund_that_were_both_lost_end_as_both_rows(
        self, database: Database, till: Till, bank: TelegramStars, stars: Stars
    ) -> None:
        sale = await till.sell(is_credited=False)
        await stars.refund(sale.charge_id)
        report = await run(database, bank)
        assert kinds(report) == [Kind.CREDITED_LATE, Kind.REFUND_FOUND]
        assert await till.rows() == REFUNDED
        assert await read_stars(database, sale.user_id) == (0, 0, 0)

    async def test_an_outgoing_row_that_is_no_refund_is_left_alone(self, database: Database) -> None:
        bank = Ledger(
            [
                listed(1),
                parse_row({"id": "w", "amount": 20, "date": 1_764_000_009, "receiver": {"type": "fragment"}}),
                parse_row(
                    {
                        "id": "g",
                        "amount": 15,
                        "date": 1_764_000_010,
                        "receiver": {
                            "type": "user",
                            "transaction_type": "gift_purchase",
                            "user": {"id": 7, "is_bot": False, "first_name": "Ada"},
                        },
                    }
                ),
            ]
        )
        report = await run(database, bank)
        assert kinds(report) == [Kind.CREDITED_LATE]
        assert report.balance is not None
        assert report.balance.telegram_nanos == 15_000_000_000


class TestComparison:
    async def test_a_payment_that_telegram_does_not_know_is_named_after_ten_minutes(
        self, database: Database, till: Till
    ) -> None:
        sale = await till.sell()
        assert (await run(database, Ledger(), Patience())).differences == ()
        report = await run(database, Ledger())
        assert [(each.kind, each.subject) for each in report.differences] == [
            (Kind.UNKNOWN_PAYMENT, sale.charge_id)
        ]
        assert not report.is_clean

    async def test_a_refund_that_only_we_know_is_named(self, database: Database) -> None:
        bank = Ledger([listed(1)])
        await run(database, bank)
        back = listed(1).body["source"]
        bank.rows.append(parse_row({"id": "stx_1", "amount": 50, "date": 1_764_000_050, "receiver": back}))
        await run(database, bank)
        async with database.transaction() as tx:
            await tx.execute(sql("DELETE FROM starbooth.telegram_transactions WHERE direction = 'out'"))
        bank.rows.pop()
        assert kinds(await run(database, bank)) == [Kind.LIST_ANEW, Kind.UNKNOWN_REFUND]

    async def test_another_amount_and_another_payer_are_named(self, database: Database) -> None:
        bank = Ledger([listed(1), listed(2)])
        await run(database, bank)
        async with database.transaction() as tx:
            await tx.execute(sql("UPDATE starbooth.payments SET amount_xtr = 51 WHERE charge_id = 'stx_1'"))
            await tx.execute(sql("UPDATE starbooth.payments SET telegram_id = 8 WHERE charge_id = 'stx_2'"))
        report = await run(database, bank)
        assert [(each.kind, each.subject) for each in report.differences] == [
            (Kind.OTHER_AMOUNT, "stx_1"),
            (Kind.OTHER_PAYER, "stx_2"),
        ]

    @pytest.mark.parametrize("odd_nanos", [7 * 10**9, -1, 500_000_000])
    async def test_a_balance_that_the_list_does_not_explain_is_named_to_the_billionth(
        self, database: Database, odd_nanos: int
    ) -> None:
        report = await run(database, Ledger([listed(1)], odd_nanos=odd_nanos))
        assert report.balance is not None
        assert report.balance.difference_nanos == odd_nanos
        assert Kind.BALANCE in kinds(report)
        assert not report.is_clean

    async def test_a_payment_that_comes_between_list_and_balance_is_no_difference(
        self, database: Database
    ) -> None:
        class Busy(Ledger):
            async def balance(self) -> StarBalance:
                if len(self.rows) < 3:
                    self.rows.append(listed(len(self.rows) + 1))
                return await super().balance()

        report = await run(database, Busy([listed(1)]))
        assert report.balance is not None
        assert report.balance.difference_nanos == 0
        assert report.cursor == 3

    async def test_a_list_that_never_rests_is_not_compared(self, database: Database) -> None:
        class Busier(Ledger):
            async def balance(self) -> StarBalance:
                self.rows.append(listed(len(self.rows) + 1))
                return await super().balance()

        report = await run(database, Busier([listed(1)]))
        assert report.balance is None
        assert Kind.BALANCE not in kinds(report)


class TestCursor:
    async def test_it_reads_on_from_where_it_was_with_the_last_hundred_again(
        self, database: Database
    ) -> None:
        bank = Ledger([listed(number) for number in range(1, 351)])
        first = await run(database, bank)
        assert (first.cursor, first.rows_read) == (350, 350)
        bank.offsets.clear()
        bank.rows.append(listed(351))
        second = await run(database, bank)
        assert (second.cursor, kinds(second)) == (351, [Kind.CREDITED_LATE])
        assert bank.offsets[0] == 250

    async def test_a_row_that_comes_late_before_the_end_is_found(self, database: Database) -> None:
        bank = Ledger([listed(number) for number in range(1, 20)])
        await run(database, bank)
        bank.rows.insert(15, listed(99))
        report = await run(database, bank)
        assert [each.subject for each in report.differences] == ["stx_99"]

    async def test_a_shorter_list_is_read_anew_and_its_old_rows_no_longer_add_up(
        self, database: Database
    ) -> None:
        await run(database, Ledger([listed(number) for number in range(1, 6)]))
        other = Ledger([listed(101), listed(102)])
        report = await run(database, other)
        assert kinds(report)[-1] is Kind.LIST_ANEW
        assert (report.cursor, report.is_clean) == (2, True)
        assert report.balance is not None
        assert report.balance.difference_nanos == 0
        assert (await run(database, other)).differences == ()

    async def test_a_list_as_long_of_which_nothing_is_known_is_read_anew(self, database: Database) -> None:
        await run(database, Ledger([listed(1), listed(2)]))
        report = await run(database, Ledger([listed(number) for number in range(11, 15)]))
        assert Kind.LIST_ANEW in kinds(report)
        assert report.balance is not None
        assert report.balance.difference_nanos == 0

    async def test_a_reading_anew_that_breaks_off_begins_at_the_beginning_again(
        self, database: Database
    ) -> None:
        await run(database, Ledger([listed(number) for number in range(1, 6)]))

        class Broken(Ledger):
            async def list_transactions(self, *, offset: int, limit: int) -> list[StarRow]:
                if len(self.offsets) == 2:
                    raise TelegramUnavailable("gone")
                return await super().list_transactions(offset=offset, limit=2)

        rows = [listed(number) for number in range(11, 15)]
        with pytest.raises(TelegramUnavailable):
            await run(database, Broken(rows))
        report = await run(database, Ledger([*rows, *(listed(number) for number in range(15, 25))]))
        assert report.cursor == 14
        assert report.balance is not None
        assert report.balance.difference_nanos == 0


class TestOneAtATime:
    async def test_a_second_one_is_told_so_and_a_third_may_after_the_first(self, database: Database) -> None:
        is_inside, may_go_on = asyncio.Event(), asyncio.Event()

        class Slow(Ledger):
            async def balance(self) -> StarBalance:
                is_inside.set()
                await may_go_on.wait()
                return await super().balance()

        first = asyncio.create_task(run(database, Slow()))
        await is_inside.wait()
        assert await reconcile(database, Ledger(), shop=SHOP) is None
        may_go_on.set()
        await first
        assert await reconcile(database, Ledger(), shop=SHOP) is not None

    async def test_a_run_that_fails_lets_the_next_one_in(self, database: Database) -> None:
        class Gone(Ledger):
            async def balance(self) -> StarBalance:
                raise TelegramUnavailable("gone")

        with pytest.raises(TelegramUnavailable):
            await run(database, Gone([listed(1)]))
        report = await run(database, Ledger([listed(1)]))
        assert kinds(report) == [Kind.CREDITED_LATE]


class TestReports:
    async def test_the_last_report_is_kept_as_it_was(self, database: Database) -> None:
        async with database.transaction() as tx:
            assert await read_last(tx) is None
            assert await is_due(tx, interval=timedelta(minutes=15))
        report = await run(database, Ledger([listed(1, amount=0), listed(2)], odd_nanos=5))
        async with database.transaction() as tx:
            assert await read_last(tx) == report
            assert not await is_due(tx, interval=timedelta(minutes=15))
            assert await is_due(tx, interval=timedelta())
        assert abs(report.at - datetime.now(UTC)) < timedelta(minutes=1)
