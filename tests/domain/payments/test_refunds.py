"""Refunds from the wish to the money: every answer of Telegram, every way to hear of it, also at once."""

import asyncio
from datetime import UTC, datetime

import pytest

from starbooth.base.database import Database, sql
from starbooth.domain.payments import refunds
from starbooth.domain.payments.read import PaymentState, summarise
from starbooth.domain.payments.reconcile import carry_out_due
from starbooth.domain.payments.refund_news import claim_refund_news
from starbooth.domain.payments.refunds import Booked, RefundState, Returned
from starbooth.domain.stars.errors import NoSuchPurchase, NotEnoughStars, StarsSpent
from starbooth.domain.users.operators import claim_alerts
from starbooth.outside.telegram.errors import AlreadyRefunded, ChargeUnknown, TelegramUnavailable
from starbooth.outside.telegram.star_rows import StarBalance, StarRow
from starbooth.outside.telegram.stars import TelegramStars
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import read_stars
from tests.make.till import Sale, Till
from tests.playground.guest import Stars

REFUNDED = [("PURCHASE", 50, "REFUNDED"), ("REFUND", -50, "COMPLETED")]
PAID = [("PURCHASE", 50, "COMPLETED")]


def returned(sale: Sale, *, came_by: str = "update") -> Returned:
    return Returned(
        charge_id=sale.charge_id,
        telegram_id=sale.telegram_id,
        payload="of another time",
        amount_xtr=sale.amount_xtr,
        at=datetime.now(UTC),
        came_by=came_by,
    )


async def book(database: Database, till: Till, sale: Sale, *, came_by: str = "update") -> Booked:
    async with database.transaction() as tx:
        return await refunds.book(tx, returned(sale, came_by=came_by), shop=till.shop)


async def make_due(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(sql("UPDATE starbooth.refunds SET due_at = now() WHERE state = 'asked'"))


async def states(database: Database) -> list[str]:
    async with database.transaction() as tx:
        return list(
            (await tx.execute(sql("SELECT state FROM starbooth.refunds ORDER BY created_at"))).scalars()
        )


class Answering:
    """A bank that answers refunds from a list, and whose list of transactions is empty or out of reach."""

    def __init__(self, *answers: Exception | None, is_list_there: bool = True) -> None:
        self._answers = list(answers)
        self._is_list_there = is_list_there
        self.asked = 0

    async def refund(self, *, telegram_id: int, charge_id: str) -> None:
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is not None:
            raise answer

    async def list_transactions(self, *, offset: int, limit: int) -> list[StarRow]:
        if not self._is_list_there:
            raise TelegramUnavailable("gone")
        return []

    async def balance(self) -> StarBalance:
        return StarBalance(amount_xtr=0, nanos=0)


class TestBegin:
    async def test_the_stars_leave_at_once_and_the_deed_is_logged(
        self, database: Database, till: Till
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        assert (begun.state, begun.is_repeat) == (RefundState.ASKED, False)
        assert await read_stars(database, sale.user_id) == (0, 0, 50)
        async with database.transaction() as tx:
            deed = (await tx.execute(sql("SELECT * FROM starbooth.operator_log"))).one()
            summary = await summarise(tx, charge_id=sale.charge_id)
        assert (deed.operator, deed.action, deed.subject) == ("command:eve", "refund", sale.charge_id)
        assert deed.facts == {"refund": begun.refund_id, "reason": "<it> did not work", "is_forced": False}
        assert summary.payment.state is PaymentState.REFUNDING
        await assert_accounts_are_true(database)

    async def test_two_operators_at_once_begin_one_and_both_learn_who_was_first(
        self, database: Database, till: Till
    ) -> None:
        sale = await till.sell()
        await till.sell()  # enough for a second one to take
        begun = await asyncio.gather(*(till.begin(sale, operator=f"telegram:{n}") for n in range(5)))
        assert len({each.refund_id for each in begun}) == 1
        assert len({each.operator for each in begun}) == 1
        assert [each.is_repeat for each in begun].count(False) == 1
        assert await read_stars(database, sale.user_id) == (50, 0, 100)

    async def test_spent_stars_are_refused_and_what_was_spent_is_told(
        self, database: Database, till: Till
    ) -> None:
        sale = await till.sell()
        await till.spend(sale, 12)
        with pytest.raises(StarsSpent):
            await till.begin(sale)
        async with database.transaction() as tx:
            summary = await summarise(tx, charge_id=sale.charge_id)
        assert (summary.spent_stars, summary.orders, summary.balance_stars) == (12, 1, 38)
        assert (summary.short_stars, summary.balance_after_stars) == (12, -12)
        assert await states(database) == []

    async def test_a_forced_one_goes_below_zero_and_then_nothing_can_be_spent(
        self, database: Database, till: Till, bank: TelegramStars
    ) -> None:
        sale = await till.sell()
        await till.spend(sale, 12)
        begun = await till.begin(sale, is_forced=True)
        assert await refunds.carry_out(database, bank, begun.refund_id) is RefundState.DONE
        assert await read_stars(database, sale.user_id) == (-12, 12, 0)
        with pytest.raises(NotEnoughStars):
            await till.spend(sale, 1)
        await assert_accounts_are_true(database)

    async def test_an_unknown_charge_is_refused(self, database: Database) -> None:
        async with database.transaction() as tx:
            with pytest.raises(NoSuchPurchase):
                await refunds.begin(tx, charge_id="stx_no", operator="command:eve", reason="", is_forced=True)


class TestCarryOut:
    async def test_telegram_gives_the_money_back_and_the_purchase_ends_refunded(
        self, database: Database, till: Till, bank: TelegramStars
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        assert await refunds.carry_out(database, bank, begun.refund_id) is RefundState.DONE
        assert await till.rows() == REFUNDED
        assert (await till.guest.wallet()).xtr == 1000
        assert await till.alerts() == ["payment_flagged"]
        again = await till.begin(sale)
        assert (again.is_repeat, again.state) == (True, RefundState.DONE)
        assert await refunds.carry_out(database, bank, begun.refund_id) is RefundState.DONE
        assert await till.rows() == REFUNDED
        await assert_accounts_are_true(database)

    async def test_an_answer_that_is_lost_after_the_money_moved_ends_as_one_refund(
        self, database: Database, till: Till, bank: TelegramStars
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        await till.guest.add_fault("dropped_after", method="refundstarpayment")
        assert await refunds.carry_out(database, bank, begun.refund_id) is RefundState.ASKED
        assert await read_stars(database, sale.user_id) == (0, 0, 50)
        assert await carry_out_due(database, bank) == 0  # not before its pause is over
        await make_due(database)
        assert await carry_out_due(database, bank) == 1
        assert await states(database) == ["done"]
        assert await till.rows() == REFUNDED
        assert (await till.guest.wallet()).xtr == 1000
        await assert_accounts_are_true(database)

    @pytest.mark.parametrize("fault", ["dropped_before", "server_error", "too_many_requests"])
    async def test_what_never_reached_telegram_is_asked_again(
        self, database: Database, till: Till, bank: TelegramStars, fault: str
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        await till.guest.add_fault(fault, method="refundstarpayment", count=2)
        for expected in (RefundState.ASKED, RefundState.ASKED, RefundState.DONE):
            await make_due(database)
            assert await refunds.carry_out(database, bank, begun.refund_id) is expected
        assert await till.rows() == REFUNDED

    async def test_already_refunded_counts_once_the_list_says_so(
        self, database: Database, till: Till, bank: TelegramStars
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        await till.guest.add_fault("already_refunded", method="refundstarpayment")
        assert await refunds.carry_out(database, bank, begun.refund_id) is RefundState.DONE
        assert await till.rows() == REFUNDED
        assert (await till.guest.wallet()).xtr == 1000

    async def test_already_refunded_without_a_row_in_the_list_is_looked_at_again(
        self, database: Database, till: Till
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        unsure = Answering(AlreadyRefunded("CHARGE_ALREADY_REFUNDED"))
        assert await refunds.carry_out(database, unsure, begun.refund_id) is RefundState.ASKED
        assert await read_stars(database, sale.user_id) == (0, 0, 50)
        await book(database, till, sale, came_by="reconciliation")
        assert await states(database) == ["done"]
        assert await till.rows() == REFUNDED

    async def test_an_unknown_charge_gives_the_stars_back_and_alerts_a_person(
        self, database: Database, till: Till
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        bank = Answering(ChargeUnknown("CHARGE_NOT_FOUND"))
        assert await refunds.carry_out(database, bank, begun.refund_id) is RefundState.REFUSED
        assert await read_stars(database, sale.user_id) == (50, 0, 50)
        assert "refund_refused" in await till.alerts()
        await assert_accounts_are_true(database)
        second = await till.begin(sale)
        assert (second.is_repeat, second.refund_id == begun.refund_id) == (False, False)
        assert await refunds.carry_out(database, Answering(None), second.refund_id) is RefundState.DONE
        assert await states(database) == ["refused", "done"]
        await assert_accounts_are_true(database)

    async def test_a_no_is_not_believed_while_the_list_cannot_be_read(
        self, database: Database, till: Till
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        bank = Answering(ChargeUnknown("CHARGE_NOT_FOUND"), is_list_there=False)
        assert await refunds.carry_out(database, bank, begun.refund_id) is RefundState.ASKED
        assert await read_stars(database, sale.user_id) == (0, 0, 50)

    async def test_a_no_after_a_lost_answer_is_not_believed_when_the_list_says_yes(
        self, database: Database, till: Till, bank: TelegramStars, stars: Stars
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        await stars.refund(sale.charge_id)

        class Confused(Answering):
            list_transactions = bank.list_transactions

        confused = Confused(ChargeUnknown("CHARGE_NOT_FOUND"))
        assert await refunds.carry_out(database, confused, begun.refund_id) is RefundState.DONE
        assert await till.rows() == REFUNDED

    async def test_many_workers_ask_once(self, database: Database, till: Till) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        bank = Answering(None)
        await asyncio.gather(*(refunds.carry_out(database, bank, begun.refund_id) for _ in range(6)))
        assert bank.asked == 1
        assert await till.rows() == REFUNDED

    async def test_a_refund_that_stays_unanswered_is_told_to_a_person_once(
        self, database: Database, till: Till
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        bank = Answering(TelegramUnavailable("gone"))
        for _ in range(8):
            await make_due(database)
            await refunds.carry_out(database, bank, begun.refund_id)
        assert (await till.alerts()).count("refund_stuck") == 1


class TestBook:
    async def test_telegrams_support_refunds_and_the_operators_hear_of_it(
        self, database: Database, till: Till
    ) -> None:
        sale = await till.sell()
        await till.spend(sale, 30)
        booked = await book(database, till, sale)
        assert (booked.operator, booked.is_repeat) == (refunds.TELEGRAM, False)
        assert await read_stars(database, sale.user_id) == (-30, 30, 0)
        async with database.transaction() as tx:
            alerts = await claim_alerts(tx, limit=10)
        (alert,) = [each for each in alerts if each.kind == "payment_returned"]
        assert alert.facts["balance_stars"] == -30
        await assert_accounts_are_true(database)

    async def test_a_refund_of_a_payment_that_was_never_seen_credits_first(
        self, database: Database, till: Till
    ) -> None:
        sale = await till.sell(is_credited=False)
        await book(database, till, sale)
        assert await till.rows() == REFUNDED
        late = await till.credit(sale)
        assert late.is_repeat
        assert await till.rows() == REFUNDED
        assert await read_stars(database, sale.user_id) == (0, 0, 0)
        await assert_accounts_are_true(database)

    @pytest.mark.parametrize("is_credited", [True, False])
    async def test_every_report_of_one_refund_at_once_is_one_row(
        self, database: Database, till: Till, bank: TelegramStars, is_credited: bool
    ) -> None:
        sale = await till.sell(is_credited=is_credited)
        if is_credited:
            begun = await till.begin(sale)
            answer = [refunds.carry_out(database, bank, begun.refund_id)]
        else:
            answer = []
        await asyncio.gather(
            *answer,
            *(book(database, till, sale, came_by="update") for _ in range(3)),
            *(book(database, till, sale, came_by="reconciliation") for _ in range(3)),
            *(till.credit(sale) for _ in range(2)),
        )
        assert await till.rows() == REFUNDED
        assert await states(database) == ["done"]
        await assert_accounts_are_true(database)

    async def test_the_message_may_come_before_the_answer_settles(
        self, database: Database, till: Till
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)

        class Quick(Answering):
            async def refund(self, *, telegram_id: int, charge_id: str) -> None:
                await book(database, till, sale)
                raise ChargeUnknown("CHARGE_NOT_FOUND")  # and Telegram is muddled besides

        assert await refunds.carry_out(database, Quick(None), begun.refund_id) is RefundState.DONE
        assert await till.rows() == REFUNDED
        assert "refund_refused" not in await till.alerts()

    async def test_after_a_dropped_refund_the_list_is_still_believed(
        self, database: Database, till: Till
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        await refunds.carry_out(database, Answering(ChargeUnknown("no")), begun.refund_id)
        booked = await book(database, till, sale, came_by="reconciliation")
        assert booked.refund_id != begun.refund_id
        assert await states(database) == ["refused", "done"]
        assert await read_stars(database, sale.user_id) == (0, 0, 0)
        await assert_accounts_are_true(database)


class TestNews:
    async def test_a_guest_is_owed_the_news_once_the_money_is_back_and_never_twice(
        self, database: Database, till: Till, bank: TelegramStars
    ) -> None:
        sale = await till.sell()
        begun = await till.begin(sale)
        async with database.transaction() as tx:
            assert await claim_refund_news(tx, limit=10) == []
        await refunds.carry_out(database, bank, begun.refund_id)
        await book(database, till, sale)

        async def claim() -> int:
            async with database.transaction() as tx:
                return len(await claim_refund_news(tx, limit=10))

        assert sum(await asyncio.gather(*(claim() for _ in range(5)))) == 1

    async def test_it_tells_the_reason_and_what_is_left(
        self, database: Database, till: Till, bank: TelegramStars
    ) -> None:
        sale = await till.sell()
        await till.spend(sale, 20)
        begun = await till.begin(sale, is_forced=True)
        await refunds.carry_out(database, bank, begun.refund_id)
        async with database.transaction() as tx:
            (news,) = await claim_refund_news(tx, limit=10)
        assert (news.amount_stars, news.amount_xtr, news.balance_stars) == (50, 50, -20)
        assert (news.reason, news.operator, news.chat_id) == (
            "<it> did not work",
            "command:eve",
            sale.telegram_id,
        )
