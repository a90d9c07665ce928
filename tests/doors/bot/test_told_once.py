"""Nobody is told twice, nor what is not so: slow batches, thanks that fail, captions."""

import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramNetworkError
from aiogram.methods import SendMessage

from starbooth.base.database import Database, sql
from starbooth.base.errors import Unavailable
from starbooth.base.settings import Settings
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.generations.cart import sweep_carts
from starbooth.domain.payments import refunds
from starbooth.domain.payments.purchases import Purchase
from starbooth.domain.payments.refund_news import owe_late_payment
from starbooth.domain.stars import ledger
from starbooth.domain.stars.tables import TransactionType
from starbooth.domain.users.guests import Language
from starbooth.domain.users.operators import claim_alerts, raise_alert
from starbooth.doors.bot.alerts import send_alerts
from starbooth.doors.bot.difference_words import render_alert
from starbooth.doors.bot.gifts import tell_gifts
from starbooth.doors.bot.handlers import Handlers
from starbooth.doors.bot.refund_news import tell_guests
from starbooth.doors.bot.terms import terms_of
from starbooth.doors.bot.words import words_for
from tests.domain.payments.test_cart import LIMITS, carts, want
from tests.doors.bot.recording import RecordingSession
from tests.make.guests import make_guest
from tests.make.payments import GUEST, SHOP, open_invoice, pay, payment_of


class Failing(RecordingSession):
    """A Telegram that takes no message while it fails."""

    is_failing = True

    async def make_request(self, bot: Bot, method: Any, timeout: int | None = None) -> Any:  # noqa: ASYNC109
        if isinstance(method, SendMessage) and self.is_failing:
            raise TelegramNetworkError(method=method, message="ServerDisconnected")
        return await super().make_request(bot, method, timeout)


@pytest.fixture
def session() -> Failing:
    session = Failing()
    session.is_failing = False
    return session


@pytest.fixture
def handlers(database: Database, settings: Settings, session: Failing) -> Handlers:
    return Handlers(database, Bot("42:TEST", session=session), terms_of(settings))


def message(**fields: Any) -> dict[str, Any]:
    person = {"id": GUEST, "is_bot": False, "first_name": "Ada"}
    chat = {"id": GUEST, "type": "private", "first_name": "Ada"}
    sent = {"message_id": 9, "date": int(time.time()), "chat": chat, "from": person}
    return {"update_id": 5, "message": {**sent, **fields}}


def paid(purchase: Purchase, charge: str, **fields: Any) -> dict[str, Any]:
    payment = {
        "currency": "XTR",
        "total_amount": purchase.amount_xtr,
        "invoice_payload": purchase.purchase_id,
        "telegram_payment_charge_id": charge,
        "provider_payment_charge_id": "7_0",
    }
    return message(successful_payment={**payment, **fields})


async def count_alerts(database: Database) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(sql("SELECT count(*) FROM starbooth.alerts")) or 0)


class TestThanks:
    async def test_a_payment_whose_thanks_fail_is_credited_and_nobody_is_told_otherwise(
        self, database: Database, handlers: Handlers, session: Failing
    ) -> None:
        purchase = await open_invoice(database, await make_guest(database, telegram_id=GUEST))
        session.is_failing = True
        update = paid(purchase, "A")
        with pytest.raises(Unavailable):
            await handlers.handle(update)
        session.is_failing = False
        await handlers.alarm(update)
        await handlers.apologise(update)
        assert await count_alerts(database) == 0
        assert session.texts == []

    async def test_a_payment_that_is_not_credited_is_still_told_of(
        self, database: Database, handlers: Handlers, session: Failing
    ) -> None:
        purchase = await open_invoice(database, await make_guest(database, telegram_id=GUEST))
        await handlers.handle(paid(purchase, "A"))
        update = paid(purchase, "B")
        await handlers.alarm(update)
        await handlers.apologise(update)
        assert await count_alerts(database) == 1
        assert len(session.texts) == 2  # the thanks for the first, and sorry for the second

    async def test_another_month_by_the_charge_of_the_first_is_told_of(
        self, database: Database, handlers: Handlers
    ) -> None:
        purchase = await open_invoice(database, await make_guest(database, telegram_id=GUEST))
        end = int(time.time()) + 30 * 86_400
        month = {"is_recurring": True, "is_first_recurring": True, "subscription_expiration_date": end}
        await handlers.handle(paid(purchase, "A", **month))
        await handlers.alarm(paid(purchase, "A", **month))
        assert await count_alerts(database) == 0
        next_month = {"is_recurring": True, "subscription_expiration_date": end + 30 * 86_400}
        await handlers.alarm(paid(purchase, "A", **next_month))
        assert await count_alerts(database) == 1

    async def test_news_of_a_plan_that_cannot_be_written_down_names_its_guest(
        self, database: Database, handlers: Handlers
    ) -> None:
        person = {"id": GUEST, "is_bot": False, "first_name": "Ada"}
        plan = {"user": person, "invoice_payload": "x", "state": "active"}
        await handlers.alarm({"update_id": 9, "subscription": plan})
        async with database.transaction() as tx:
            alert = (await claim_alerts(tx, limit=1))[0]
        for language in Language:
            html = render_alert(words_for(language), alert, row_id=None).html
            assert str(GUEST) in html
            assert "None" not in html

    async def test_a_late_update_promises_nothing_that_no_payment_was_for(
        self, database: Database, handlers: Handlers, session: Failing
    ) -> None:
        user_id = await make_guest(database, telegram_id=GUEST, stars=1)
        purchase = await open_invoice(database, user_id)
        credited = await pay(database, payment_of(purchase, charge_id="A", came_by="reconciliation"))
        async with database.transaction() as tx:
            held = await ledger.hold(
                tx,
                user_id=user_id,
                price_stars=credited.balance_stars,
                purpose=TransactionType.GENERATION,
                key="h",
                facts={},
            )
        await want(database, user_id)
        async with database.transaction() as tx:
            await ledger.release(tx, hold_id=held.transaction_id, facts={})
        await handlers.handle(paid(purchase, "A"))
        assert "starts by itself" not in session.texts[-1]


async def age_carts(database: Database, by: timedelta) -> None:
    async with database.transaction() as tx:
        await tx.execute(
            sql(
                "UPDATE starbooth.carts SET created_at = created_at - CAST(:by AS interval),"
                " funded_at = funded_at - CAST(:by AS interval),"
                " expires_at = expires_at - CAST(:by AS interval)"
            ),
            {"by": by},
        )


class TestCart:
    async def test_what_was_paid_for_at_the_last_moment_has_its_whole_life_to_start(
        self, database: Database
    ) -> None:
        user_id = await make_guest(database, telegram_id=GUEST, stars=1)
        await want(database, user_id)
        await age_carts(database, timedelta(hours=23, minutes=59))
        await pay(database, payment_of(await open_invoice(database, user_id)))
        await age_carts(database, timedelta(hours=23))
        assert await sweep_carts(database, limits=LIMITS) == 1
        assert [state for _, state in await carts(database)] == ["ordered"]


class Slow:
    """A messenger in whose calls something else happens."""

    def __init__(self) -> None:
        self.sent: list[tuple[int, str]] = []

    async def send_text(self, screen: Screen, *, chat_id: int, reply_to_message_id: int | None) -> int:
        self.sent.append((chat_id, screen.html))
        await self.meanwhile()
        return 1

    async def meanwhile(self) -> None:
        raise NotImplementedError


class TestSlowBatches:
    async def test_before_each_message_an_alert_is_kept_for_a_whole_minute_and_no_other_is(
        self, database: Database
    ) -> None:
        async with database.transaction() as tx:
            for number in range(3):
                await raise_alert(tx, key=f"k{number}", kind="x", facts={"n": number})

        ends = set()

        class Looking(Slow):
            async def meanwhile(self) -> None:
                async with database.transaction() as tx:
                    rows = await tx.execute(
                        sql(
                            "SELECT due_at, due_at - now() AS left FROM starbooth.alerts"
                            " WHERE sent_at IS NULL AND due_at > now()"
                        )
                    )
                    kept = rows.one()
                assert kept.left > timedelta(seconds=50)
                ends.add(kept.due_at)

        messenger = Looking()
        assert await send_alerts(database, messenger, operators=[1, 2]) == 3  # type: ignore[arg-type]
        assert set(Counter(messenger.sent).values()) == {1}
        assert (len(messenger.sent), len(ends)) == (6, 6)

    async def test_who_lost_an_alert_to_another_sender_leaves_it_to_them(self, database: Database) -> None:
        async with database.transaction() as tx:
            for number in range(3):
                await raise_alert(tx, key=f"k{number}", kind="x", facts={"n": number})

        class Hanging(Slow):
            async def meanwhile(self) -> None:
                if len(self.sent) == 1:
                    async with database.transaction() as tx:
                        await tx.execute(sql("UPDATE starbooth.alerts SET due_at = now()"))
                    await send_alerts(database, self, operators=[1, 2])  # type: ignore[arg-type]

        messenger = Hanging()
        await send_alerts(database, messenger, operators=[1, 2])  # type: ignore[arg-type]
        twice = [each for each, times in Counter(messenger.sent).items() if times > 1]
        assert twice == [messenger.sent[0]]  # only the message that itself took a minute
        assert len(messenger.sent) == 7

    async def test_news_of_payments_are_claimed_one_by_one(self, database: Database) -> None:
        for guest in (1, 2, 3, 4):
            user_id = await make_guest(database, telegram_id=guest)
            purchase = await open_invoice(database, user_id)
            charge = f"c{guest}"
            await pay(database, payment_of(purchase, charge_id=charge, telegram_id=guest))
            async with database.transaction() as tx:
                await owe_late_payment(tx, charge_id=charge)
                if guest > 2:  # these two also went back, which is all that their guests are told
                    returned = refunds.Returned(
                        charge_id=charge,
                        telegram_id=guest,
                        payload=purchase.purchase_id,
                        amount_xtr=purchase.amount_xtr,
                        at=payment_of(purchase).paid_at,
                        came_by="update",
                    )
                    await refunds.book(tx, returned, shop=SHOP)

        class Racing(Slow):
            async def meanwhile(self) -> None:
                if len(self.sent) == 1:
                    await tell_guests(database, self)  # type: ignore[arg-type]  # finds all the others free

        messenger = Racing()
        assert await tell_guests(database, messenger) == 1  # type: ignore[arg-type]
        assert sorted(chat for chat, _ in messenger.sent) == [1, 2, 3, 4]

    async def test_news_of_gifts_are_claimed_one_by_one(self, database: Database) -> None:
        for guest in (1, 2, 3):
            user_id = await make_guest(database, telegram_id=guest)
            async with database.transaction() as tx:
                await tx.execute(
                    sql(
                        "INSERT INTO starbooth.gift_news (key, user_id, kind, amount_stars)"
                        " VALUES (:key, :user_id, 'friend', 5)"
                    ),
                    {"key": f"k{guest}", "user_id": user_id},
                )

        class Racing(Slow):
            async def meanwhile(self) -> None:
                if len(self.sent) == 1:
                    await tell_gifts(database, self)  # type: ignore[arg-type]

        messenger = Racing()
        assert await tell_gifts(database, messenger) == 1  # type: ignore[arg-type]
        assert sorted(chat for chat, _ in messenger.sent) == [1, 2, 3]


class TestCaptions:
    @pytest.mark.parametrize("caption", ["/grant me 100", "/refund", "/buy", "/daily", " ", "a cat"])
    async def test_a_caption_is_no_command(
        self, handlers: Handlers, session: Failing, database: Database, caption: str
    ) -> None:
        video = {"file_id": "a", "file_unique_id": "b", "width": 1, "height": 1, "duration": 1}
        await handlers.handle(message(video=video))
        await handlers.handle(message(video=video, caption=caption))
        assert len(session.texts) == 2
        assert session.texts[0] == session.texts[1]
