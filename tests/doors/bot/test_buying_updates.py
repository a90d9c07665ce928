"""Payments that no honest client makes, and bad luck at every step: straight into the handlers."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from aiogram import Bot

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.base.prices import parse_pack, parse_packs
from starbooth.domain.generations.request import Limits
from starbooth.domain.payments.purchases import Purchase
from starbooth.doors.bot.handlers import ALLOWED_UPDATES, Handlers
from starbooth.doors.bot.handling import run_inbox
from starbooth.doors.bot.inbox import Update, keep_updates
from starbooth.doors.bot.terms import Terms
from starbooth.outside.telegram.errors import Blocked
from tests.doors.bot.buying import alerts, checkout_update, execute, flags, payment_update, purchases
from tests.doors.bot.recording import RecordingSession
from tests.doors.bot.updates import message_update, press_update
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars
from tests.make.payments import open_invoice

PACK = parse_pack("50=50")
TERMS = Terms(
    welcome_stars=0,
    limits=Limits(active_orders=3, deadline=timedelta(seconds=60)),
    packs=parse_packs("50=50, 100=100"),
)


@pytest.fixture
def telegram() -> RecordingSession:
    return RecordingSession()


@pytest.fixture
def handlers(database: Database, telegram: RecordingSession) -> Handlers:
    return Handlers(database, Bot("42:TEST", session=telegram), TERMS)


@pytest.fixture
async def ada(database: Database) -> str:
    return await make_guest(database, telegram_id=7)


@pytest.fixture
async def invoice(database: Database, ada: str) -> Purchase:
    return await open_invoice(database, ada, pack=PACK)


def checkout_answers(telegram: RecordingSession) -> list[tuple[bool, str | None]]:
    calls: list[Any] = [call for call in telegram.calls if call.__api_method__ == "answerPreCheckoutQuery"]
    return [(call.ok, call.error_message) for call in calls]


class TestCheckout:
    async def test_it_is_asked_for(self) -> None:
        assert "pre_checkout_query" in ALLOWED_UPDATES

    async def test_an_open_invoice_may_be_paid(
        self, handlers: Handlers, telegram: RecordingSession, invoice: Purchase
    ) -> None:
        await handlers.handle(checkout_update(1, invoice.purchase_id))
        assert checkout_answers(telegram) == [(True, None)]

    @pytest.mark.parametrize(
        ("facts", "says"),
        [
            ({"amount_xtr": 49}, "This invoice is not one of ours."),
            ({"amount_xtr": -50}, "This invoice is not one of ours."),
            ({"currency": "EUR"}, "This invoice is not one of ours."),
            ({"person_id": 8}, "This invoice was made out to somebody else."),
            ({"person_id": 8, "language_code": "es"}, "Esta factura es de otra persona."),
        ],
    )
    async def test_anything_else_is_refused_in_the_payers_language(
        self,
        handlers: Handlers,
        telegram: RecordingSession,
        invoice: Purchase,
        facts: dict[str, Any],
        says: str,
    ) -> None:
        await handlers.handle(checkout_update(1, invoice.purchase_id, **facts))
        ((is_ok, reason),) = checkout_answers(telegram)
        assert not is_ok
        assert reason is not None
        assert reason.startswith(says)

    @pytest.mark.parametrize("payload", ["", "ord_1", "c" * 25, "x" * 128, "'; DROP TABLE x; --", "🦊"])
    async def test_a_payload_of_another_bot_is_refused(
        self, handlers: Handlers, telegram: RecordingSession, payload: str
    ) -> None:
        await handlers.handle(checkout_update(1, payload))
        ((is_ok, _),) = checkout_answers(telegram)
        assert not is_ok

    async def test_without_a_database_it_is_tried_again_and_no_chat_hears_of_it(
        self, telegram: RecordingSession
    ) -> None:
        away = Database("postgresql://nobody@127.0.0.1:9/none")
        handlers = Handlers(away, Bot("42:TEST", session=telegram), TERMS)
        with pytest.raises(Unavailable):
            await handlers.handle(checkout_update(1, "anything"))
        await handlers.apologise(checkout_update(1, "anything"))
        assert telegram.calls == []
        await away.aclose()


class TestPayments:
    async def test_handled_twice_it_counts_once_and_thanks_twice(
        self,
        handlers: Handlers,
        telegram: RecordingSession,
        database: Database,
        ada: str,
        invoice: Purchase,
    ) -> None:
        for _ in range(2):
            await handlers.handle(payment_update(1, invoice.purchase_id))
        assert await read_stars(database, ada) == (50, 0, 50)
        assert len(telegram.texts) == 2
        assert set(telegram.texts) == {"⭐ <b>Thank you!</b> New: 50 stars. In all: 50 stars."}

    async def test_two_processes_at_once_count_it_once(
        self, handlers: Handlers, database: Database, ada: str, invoice: Purchase
    ) -> None:
        await asyncio.gather(*(handlers.handle(payment_update(1, invoice.purchase_id)) for _ in range(5)))
        assert await read_stars(database, ada) == (50, 0, 50)
        await assert_accounts_are_true(database)

    async def test_who_was_never_seen_before_is_a_guest_by_paying(
        self, handlers: Handlers, database: Database, invoice: Purchase
    ) -> None:
        await handlers.handle(payment_update(1, invoice.purchase_id, person_id=8))
        assert await flags(database) == ["other_payer"]
        assert await purchases(database) == ["PENDING", "COMPLETED"]

    async def test_it_counts_in_whatever_chat_it_is_told(
        self, handlers: Handlers, database: Database, ada: str, invoice: Purchase
    ) -> None:
        group = {"id": -5, "type": "group", "title": "friends"}
        await handlers.handle(payment_update(1, invoice.purchase_id, chat=group))
        assert await read_stars(database, ada) == (50, 0, 50)

    async def test_another_amount_counts_by_what_it_is(
        self, handlers: Handlers, database: Database, ada: str, invoice: Purchase
    ) -> None:
        await handlers.handle(payment_update(1, invoice.purchase_id, amount_xtr=7))
        assert await read_stars(database, ada) == (7, 0, 7)
        assert await flags(database) == ["other_amount"]

    @pytest.mark.parametrize(
        ("facts", "reason"),
        [({"currency": "EUR"}, "EUR"), ({"amount_xtr": 0}, "XTR"), ({"amount_xtr": -50}, "XTR")],
    )
    async def test_what_is_no_payment_in_stars_gives_nothing_and_the_operators_hear_of_it(
        self,
        handlers: Handlers,
        telegram: RecordingSession,
        database: Database,
        ada: str,
        facts: dict[str, Any],
        reason: str,
    ) -> None:
        for _ in range(2):
            await handlers.handle(payment_update(1, "unknown", **facts))
        assert await read_stars(database, ada) == (0, 0, 0)
        assert await alerts(database) == ["payment_not_credited"]
        assert telegram.texts == []

    async def test_a_huge_amount_is_credited_as_far_as_a_ledger_row_reaches(
        self, handlers: Handlers, database: Database, ada: str
    ) -> None:
        await handlers.handle(payment_update(1, "unknown", amount_xtr=2_000_000_000))
        assert await read_stars(database, ada) == (1_000_000, 0, 1_000_000)
        assert await alerts(database) == ["payment_flagged"]

    async def test_a_full_purse_is_told_to_the_operators(
        self, handlers: Handlers, database: Database, ada: str, invoice: Purchase
    ) -> None:
        await execute(database, 'UPDATE public."User" SET "stars" = 2147483600 WHERE "id" = :id', id=ada)
        await handlers.handle(payment_update(1, invoice.purchase_id))
        assert await alerts(database) == ["payment_not_credited"]
        assert await purchases(database) == ["PENDING"]

    async def test_a_renewal_with_the_first_payments_charge_id_is_not_lost(
        self, handlers: Handlers, database: Database, ada: str
    ) -> None:
        month: dict[str, Any] = {"is_recurring": True, "amount_xtr": 300}
        for until in (1_766_000_000, 1_768_592_000, 1_768_592_000, 1_766_000_000):
            await handlers.handle(payment_update(1, "unknown", subscription_expiration_date=until, **month))
        assert await read_stars(database, ada) == (600, 0, 600)

    async def test_a_wrong_apology_is_never_made(
        self, handlers: Handlers, telegram: RecordingSession, invoice: Purchase
    ) -> None:
        await handlers.apologise(payment_update(1, invoice.purchase_id))
        assert "Your payment has reached us" in telegram.texts[0]

    async def test_the_operators_hear_once_of_one_that_is_stuck(
        self, handlers: Handlers, database: Database
    ) -> None:
        for _ in range(3):
            await handlers.alarm(payment_update(1, "unknown"))
        assert await alerts(database) == ["payment_stuck"]


class TestThanks:
    async def test_a_guest_who_blocked_the_bot_keeps_the_stars(
        self, database: Database, ada: str, invoice: Purchase
    ) -> None:
        class Unheard(RecordingSession):
            async def make_request(self, *args: Any, **options: Any) -> Any:
                raise Blocked("bot was blocked by the user")

        handlers = Handlers(database, Bot("42:TEST", session=Unheard()), TERMS)
        await handlers.handle(payment_update(1, invoice.purchase_id))
        assert await read_stars(database, ada) == (50, 0, 50)

    async def test_while_telegram_is_away_the_stars_are_there_and_thanks_come_later(
        self,
        handlers: Handlers,
        telegram: RecordingSession,
        database: Database,
        ada: str,
        invoice: Purchase,
    ) -> None:
        class Away(RecordingSession):
            async def make_request(self, *args: Any, **options: Any) -> Any:
                raise Unavailable("telegram")

        muted = Handlers(database, Bot("42:TEST", session=Away()), TERMS)
        with pytest.raises(Unavailable):
            await muted.handle(payment_update(1, invoice.purchase_id))
        assert await read_stars(database, ada) == (50, 0, 50)
        await handlers.handle(payment_update(1, invoice.purchase_id))
        assert await read_stars(database, ada) == (50, 0, 50)
        assert len(telegram.texts) == 1


class TestBadLuck:
    async def test_a_payment_whose_handler_dies_counts_when_another_takes_it_over(
        self, handlers: Handlers, database: Database, ada: str, invoice: Purchase
    ) -> None:
        async with database.transaction() as tx:
            await keep_updates(tx, [payment_update(1, invoice.purchase_id)])
        dying = asyncio.create_task(_handle_all(database, _hang, asyncio.Event()))
        await asyncio.sleep(0.5)
        dying.cancel()
        await asyncio.gather(dying, return_exceptions=True)
        assert await read_stars(database, ada) == (0, 0, 0)
        await execute(database, "UPDATE starbooth.inbox SET claimed_until = now()")
        stop = asyncio.Event()
        alive = asyncio.create_task(_handle_all(database, handlers.handle, stop))
        await _until_bought(database, ada, 50)
        stop.set()
        await alive

    async def test_a_payment_while_the_database_is_away_is_not_acknowledged_and_counts_later(
        self,
        handlers: Handlers,
        telegram: RecordingSession,
        database: Database,
        ada: str,
        invoice: Purchase,
    ) -> None:
        away = Database("postgresql://nobody@127.0.0.1:9/none")
        update = payment_update(1, invoice.purchase_id)
        with pytest.raises(Unavailable):
            async with away.statement() as tx:
                await keep_updates(tx, [update])  # what is not kept is not acknowledged: it comes again
        muted = Handlers(away, Bot("42:TEST", session=telegram), TERMS)
        with pytest.raises(Unavailable):
            await muted.handle(update)  # kept, but the database went away since: it stays in the inbox
        await away.aclose()
        assert await read_stars(database, ada) == (0, 0, 0)
        await handlers.handle(update)
        assert await read_stars(database, ada) == (50, 0, 50)

    async def test_a_pack_pressed_twice_for_one_update_is_one_purchase(
        self, handlers: Handlers, database: Database
    ) -> None:
        for _ in range(2):
            await handlers.handle(press_update(1, "buy:pack:50:0:50"))
        assert await purchases(database) == ["PENDING"]

    @pytest.mark.parametrize(
        "action",
        [
            "buy:",
            "buy:pack",
            "buy:pack:50:0",
            "buy:pack:-50:0:50",
            "buy:pack:10abc:0:50",
            "buy:pack:50:0:0x1",
        ],
    )
    async def test_a_button_that_we_do_not_know_buys_nothing(
        self, handlers: Handlers, telegram: RecordingSession, database: Database, action: str
    ) -> None:
        await handlers.handle(press_update(1, action))
        assert telegram.toasts == ["This button does nothing any more. Nothing was charged."]
        assert await purchases(database) == []

    async def test_a_forged_pack_is_not_sold(
        self, handlers: Handlers, telegram: RecordingSession, database: Database
    ) -> None:
        await handlers.handle(press_update(1, "buy:pack:1000000:0:1"))
        assert telegram.toasts == ["The price has changed."]
        assert await purchases(database) == []

    async def test_a_prompt_refused_twice_is_one_wish(self, handlers: Handlers, database: Database) -> None:
        for _ in range(2):
            await handlers.handle(message_update(1))
        assert await _count_carts(database) == 1


async def _count_carts(database: Database) -> int:
    async with database.transaction() as tx:
        found = await tx.exec_driver_sql("SELECT count(*) FROM starbooth.carts")
        return int(found.scalar_one())


async def _hang(_update: Update) -> None:
    await asyncio.sleep(60)


async def _ignore(_update: Update) -> None:
    return


async def _handle_all(database: Database, handle: Any, stop: asyncio.Event) -> None:
    await run_inbox(
        database, handle, give_up=_ignore, alarm=_ignore, stop=stop, wake=asyncio.Event(), last_words_s=0
    )


async def _until_bought(database: Database, user_id: str, stars: int) -> None:
    for _ in range(200):
        if await read_stars(database, user_id) == (stars, 0, stars):
            return
        await asyncio.sleep(0.05)
    raise TimeoutError
