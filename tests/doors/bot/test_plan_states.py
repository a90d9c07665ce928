"""The monthly plan stopped, taken up again, failed, passed on to others; and what strangers say about it."""

import asyncio

import pytest
from aiogram import Bot

from starbooth.base.database import Database, sql
from starbooth.base.settings import Settings
from starbooth.doors.bot.handlers import Handlers
from starbooth.doors.bot.inbox import Update, keep_updates
from starbooth.doors.bot.terms import terms_of
from starbooth.outside.telegram.errors import TelegramUnavailable
from tests.doors.bot.chat import balance_of
from tests.doors.bot.conftest import MakeGuest, running_bot
from tests.doors.bot.planning import (
    MONTH_STARS,
    WELCOME,
    ask_plan,
    link_of,
    read_flags,
    read_rows,
    subscribe,
    wait_for_stars,
    wait_for_state,
)
from tests.doors.bot.recording import RecordingSession
from tests.playground.guest import Guest


@pytest.mark.usefixtures("at_work")
class TestStopping:
    async def test_stop_renewing_tells_telegram_and_shows_when_it_ends(
        self, ada: Guest, database: Database
    ) -> None:
        charge_id = await subscribe(database, ada)
        shown = await ask_plan(ada)
        answer = await ada.press(shown, "Stop renewing")
        assert answer is not None
        assert answer["text"] == "Done: it will not be renewed."
        assert [each["is_canceled"] for each in (await ada.wallet()).subscriptions] == [True]
        changed = await ada.wait_for(lambda message: "It ends then" in message.text)
        assert changed.message_id == shown.message_id
        assert changed.labels == ["Renew again"]
        assert (await ada.next_month(charge_id)).status == "cancelled"
        assert await balance_of(database, ada) == WELCOME + MONTH_STARS

    async def test_renew_again_lets_the_guest_take_it_up_in_telegram(
        self, ada: Guest, database: Database
    ) -> None:
        charge_id = await subscribe(database, ada)
        shown = await ask_plan(ada)
        await ada.press(shown, "Stop renewing")
        stopped = await ada.wait_for(lambda message: "It ends then" in message.text)
        await ada.press(stopped, "Renew again")
        await ada.wait_for(lambda message: "the last word is yours" in message.text)
        await ada.enable_subscription(charge_id)
        await wait_for_state(database, "active")
        assert (await ada.next_month(charge_id)).status == "paid"
        await wait_for_stars(database, ada, WELCOME + 2 * MONTH_STARS)

    async def test_what_the_guest_does_in_telegram_is_noted(self, ada: Guest, database: Database) -> None:
        charge_id = await subscribe(database, ada)
        await ada.cancel_subscription(charge_id)
        await wait_for_state(database, "cancelled")
        assert (await ask_plan(ada)).labels == ["Renew again"]
        await ada.enable_subscription(charge_id)
        await wait_for_state(database, "active")

    async def test_a_stop_that_telegram_refuses_says_where_to_do_it(
        self, ada: Guest, database: Database
    ) -> None:
        charge_id = await subscribe(database, ada)
        shown = await ask_plan(ada)
        await ada.cancel_subscription(charge_id)
        await ada.next_month(charge_id)  # for Telegram it is over
        answer = await ada.press(shown, "Stop renewing")
        assert answer is not None
        assert "Telegram does not let me change this." in answer["text"]
        assert answer["show_alert"]

    async def test_of_a_link_that_was_charged_twice_neither_half_is_renewed(
        self, ada: Guest, database: Database
    ) -> None:
        await ada.add_fault("double_payment", method="*")
        assert (await ada.pay(link_of(await ask_plan(ada)))).status == "paid"
        await wait_for_stars(database, ada, WELCOME + 2 * MONTH_STARS)
        assert sorted(map(str, await read_flags(database))) == ["None", "second_payment"]
        await ada.press(await ask_plan(ada), "Stop renewing")
        assert [each["is_canceled"] for each in (await ada.wallet()).subscriptions] == [True, True]

    async def test_a_stop_that_gets_lost_is_tried_again(self, ada: Guest, database: Database) -> None:
        await subscribe(database, ada)
        await ada.add_fault("server_error", method="edituserstarsubscription", count=1)
        await ada.press(await ask_plan(ada), "Stop renewing", timeout_s=0.1)
        await wait_for_state(database, "cancelled")
        assert [each["is_canceled"] for each in (await ada.wallet()).subscriptions] == [True]


@pytest.mark.usefixtures("at_work")
class TestFailedRenewal:
    async def test_it_is_told_once_with_what_to_do_and_a_later_payment_mends_it(
        self, ada: Guest, database: Database
    ) -> None:
        charge_id = await subscribe(database, ada)
        await ada.add_xtr(-500)
        for _ in range(2):
            assert (await ada.next_month(charge_id)).status == "failed"
        told = await ada.wait_for(lambda message: "was not renewed" in message.text)
        assert "top up your Telegram Stars" in told.text
        assert "was not renewed" not in (await ask_plan(ada)).text
        assert len([each for each in await ada.messages() if "was not renewed" in each.text]) == 1
        await ada.add_xtr(500)
        assert (await ada.next_month(charge_id)).status == "paid"
        await wait_for_stars(database, ada, WELCOME + 2 * MONTH_STARS)
        await wait_for_state(database, "active")

    async def test_the_next_failure_is_news_again(self, ada: Guest, database: Database) -> None:
        charge_id = await subscribe(database, ada)
        await ada.add_xtr(-500)
        await ada.next_month(charge_id)
        first = await ada.wait_for(lambda message: "was not renewed" in message.text)
        await ada.add_xtr(500)
        await ada.next_month(charge_id)
        await ada.add_xtr(-(await ada.wallet()).xtr)
        await ada.next_month(charge_id)
        await ada.wait_for(lambda message: "was not renewed" in message.text, after=first)


@pytest.mark.usefixtures("at_work")
class TestOthers:
    async def test_a_forwarded_link_is_refused_to_another_guest(
        self, ada: Guest, make_guest: MakeGuest, database: Database
    ) -> None:
        link = link_of(await ask_plan(ada))
        bo = await make_guest("Bo")
        paid = await bo.pay(link)
        assert paid.status == "failed"
        assert paid.reason
        assert (await bo.wallet()).xtr == 1000
        assert await read_rows(database) == []

    async def test_a_forwarded_link_paid_without_asking_us_gives_who_paid_their_stars(
        self, ada: Guest, make_guest: MakeGuest, database: Database
    ) -> None:
        link = link_of(await ask_plan(ada))
        bo = await make_guest("Bo")
        await bo.say("/start")
        await bo.wait_for(lambda message: bool(message.text))
        await bo.add_fault("unasked_payment", method="*", chat_id=bo.user_id)
        assert (await bo.pay(link)).status == "paid"
        for _ in range(300):
            if await balance_of(database, bo) > WELCOME:
                break
            await asyncio.sleep(0.02)
        assert await balance_of(database, bo) >= WELCOME + 300
        assert await balance_of(database, ada) == WELCOME
        assert await read_flags(database) == ["other_payer"]
        assert await read_rows(database) == []
        assert (await ada.pay(link)).status == "paid"
        await wait_for_stars(database, ada, WELCOME + MONTH_STARS)

    async def test_a_second_plan_is_refused_while_one_runs(self, ada: Guest, database: Database) -> None:
        old = link_of(await ask_plan(ada))
        async with database.transaction() as tx:
            await tx.execute(sql("UPDATE starbooth.purchases SET expires_at = now() + interval '1 hour'"))
        await subscribe(database, ada)
        paid = await ada.pay(old)
        assert paid.status == "failed"
        assert "You have the monthly plan already" in paid.reason
        assert (await ada.wallet()).xtr == 700

    async def test_the_paid_link_is_no_second_plan_either(self, ada: Guest, database: Database) -> None:
        link = link_of(await ask_plan(ada))
        await subscribe(database, ada)
        paid = await ada.pay(link)
        assert (paid.status, bool(paid.reason)) == ("failed", True)
        assert len((await ada.wallet()).subscriptions) == 1


class TestInterrupted:
    async def test_a_failure_that_was_noted_and_not_told_is_told_when_handled_again(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        async with running_bot(database, settings, bot):
            await subscribe(database, ada)
        user = {"id": ada.user_id, "is_bot": False, "first_name": "Ada", "language_code": "en"}
        payload = (await ada.wallet()).subscriptions[0]["payload"]
        change = {"user": user, "invoice_payload": payload, "state": "failed"}
        handlers = Handlers(database, bot, terms_of(settings))
        async with database.transaction() as tx:
            await keep_updates(tx, [{"update_id": 10**9, "subscription": change}])
        await ada.add_fault("server_error", method="sendmessage", count=1)
        with pytest.raises(TelegramUnavailable):
            await handlers.handle(await read_update(database))
        assert [row.state for row in await read_rows(database)] == ["failed"]
        await handlers.handle(await read_update(database))
        assert len([each for each in await ada.messages() if "was not renewed" in each.text]) == 1


async def read_update(database: Database) -> Update:
    """The update that waits, with what handling it has noted."""
    async with database.transaction() as tx:
        body: Update = await tx.scalar(sql("SELECT body FROM starbooth.inbox WHERE state = 'waiting'"))
    return body


class TestForeignUpdates:
    @pytest.fixture
    def telegram(self) -> RecordingSession:
        return RecordingSession()

    @pytest.fixture
    def handlers(self, database: Database, settings: Settings, telegram: RecordingSession) -> Handlers:
        return Handlers(database, Bot("42:TEST", session=telegram), terms_of(settings))

    @pytest.mark.parametrize("state", ["failed", "canceled", "active", "something new"])
    async def test_of_an_unknown_plan_nothing_is_noted_or_told(
        self, database: Database, handlers: Handlers, telegram: RecordingSession, state: str
    ) -> None:
        user = {"id": 7, "is_bot": False, "first_name": "Ada", "language_code": "en"}
        change = {"user": user, "invoice_payload": "of another bot", "state": state}
        await handlers.handle({"update_id": 1, "subscription": change})
        assert telegram.calls == []
        assert await read_rows(database) == []

    async def test_of_another_guests_plan_nothing_is_noted_or_told(
        self, ada: Guest, make_guest: MakeGuest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        async with running_bot(database, settings, bot):
            await subscribe(database, ada)
            payload = (await ada.wallet()).subscriptions[0]["payload"]
        handlers = Handlers(database, bot, terms_of(settings))
        bo = await make_guest("Bo")
        user = {"id": bo.user_id, "is_bot": False, "first_name": "Bo", "language_code": "en"}
        change = {"user": user, "invoice_payload": payload, "state": "failed"}
        await handlers.handle({"update_id": 10**9, "subscription": change})
        assert [row.state for row in await read_rows(database)] == ["active"]
        assert await bo.messages() == []

    async def test_a_button_of_another_guests_plan_does_nothing(
        self, ada: Guest, make_guest: MakeGuest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        async with running_bot(database, settings, bot):
            await subscribe(database, ada)
        async with database.transaction() as tx:
            plan_id = await tx.scalar(sql("SELECT id FROM starbooth.subscriptions"))
        bo = await make_guest("Bo")
        telegram = RecordingSession()
        handlers = Handlers(database, Bot("42:TEST", session=telegram), terms_of(settings))
        for action in (f"plan:stop:{plan_id}", "plan:stop:", "plan:", "plan:burn:" + "c" * 25):
            person = {"id": bo.user_id, "is_bot": False, "first_name": "Bo", "language_code": "en"}
            query = {"id": action, "from": person, "chat_instance": "1", "data": action}
            await handlers.handle({"update_id": 10**9, "callback_query": query})
        assert telegram.toasts == ["This button does nothing any more. Nothing was charged."] * 4
        assert [row.state for row in await read_rows(database)] == ["active"]
