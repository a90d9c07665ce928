"""Operators in the chat: grants, refunds by buttons, payments, reconciliation, alerts; and everybody else."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
from aiogram import Bot
from structlog.testing import capture_logs

from starbooth.base.database import Database, sql
from starbooth.base.settings import Settings
from starbooth.domain.payments.differences import Patience
from starbooth.domain.payments.reconcile import carry_out_due, reconcile
from starbooth.doors.bot.inbox import keep_updates
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.operators_screens import Deed, Wish, parse_deed
from starbooth.doors.bot.refund_news import tell_guests
from starbooth.outside.telegram.stars import TelegramStars
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import MakeGuest, running_bot
from tests.doors.bot.updates import press_update
from tests.make.audits import assert_accounts_are_true
from tests.make.till import Sale, Till
from tests.playground.guest import Guest, Message, Stars

pytestmark = pytest.mark.usefixtures("at_work")
UNKNOWN = "I do not know that command."


@pytest.fixture
async def eve(make_guest: MakeGuest) -> Guest:
    """An operator."""
    return await make_guest("Eve")


@pytest.fixture
async def olga(make_guest: MakeGuest) -> Guest:
    """Another operator, who speaks Russian."""
    return await make_guest("Olga", "ru")


@pytest.fixture
async def at_work(
    database: Database, settings: Settings, bot: Bot, eve: Guest, olga: Guest
) -> AsyncIterator[None]:
    run_by = settings.model_copy(update={"operators": (eve.user_id, olga.user_id), "welcome_stars": 0})
    async with running_bot(database, run_by, bot):
        yield


@pytest.fixture
async def till(playground: str, bot: Bot, database: Database) -> AsyncIterator[Till]:
    async with Till(playground, bot, database) as till:
        yield till


@pytest.fixture
async def stars(playground: str) -> AsyncIterator[Stars]:
    async with Stars(playground) as stars:
        yield stars


async def sell(till: Till, *, spent: int = 0) -> Sale:
    """A payment that the bot has credited, of which so much was spent."""
    sale = await till.sell()  # whoever is quicker, the bot or this
    if spent:
        await till.spend(sale, spent)
    return sale


async def ask(operator: Guest, command: str, wanted: str) -> Message:
    said = await operator.say(command)
    return await answer_to(operator, said, wanted)


async def deeds(database: Database, action: str) -> list[str]:
    async with database.transaction() as tx:
        rows = await tx.execute(
            sql("SELECT operator FROM starbooth.operator_log WHERE action = :action ORDER BY number"),
            {"action": action},
        )
        return list(rows.scalars())


class TestGrant:
    async def test_stars_are_given_once_for_a_message_and_written_down(
        self, ada: Guest, eve: Guest, database: Database
    ) -> None:
        await start(ada)
        await eve.add_fault("doubled_update", method="message", chat_id=eve.user_id)
        said = await ask(eve, f"/grant {ada.user_id} 25 for <waiting> so long", "+25 stars")
        assert said.text == f"{ada.user_id}: +25 stars. Balance: 25 stars."
        assert await balance_of(database, ada) == 25
        assert await deeds(database, "grant") == [f"telegram:{eve.user_id}"]
        async with database.transaction() as tx:
            facts = await tx.scalar(
                sql("""SELECT "metadata" FROM "StarTransaction" WHERE "type" = 'ADMIN_GRANT'""")
            )
        assert facts["reason"] == "for <waiting> so long"

    async def test_stars_are_taken_with_a_reason_and_never_more_than_are_there(
        self, ada: Guest, eve: Guest, database: Database
    ) -> None:
        await start(ada)
        await ask(eve, f"/grant {ada.user_id} 20 to begin with", "+20 stars")
        await ask(eve, f"/grant {ada.user_id} -5 a mistake of ours", "−5 stars")
        assert await balance_of(database, ada) == 15
        await ask(eve, f"/grant {ada.user_id} -16 too much", "They have 15 stars")
        assert await balance_of(database, ada) == 15

    @pytest.mark.parametrize("amount", ["10abc", "1e3", "٣", "1_0", "+", "--5", "0x10", "1.5", "9" * 30])
    async def test_what_is_no_amount_is_refused_in_a_sentence(
        self, ada: Guest, eve: Guest, database: Database, amount: str
    ) -> None:
        await start(ada)
        said = await ask(eve, f"/grant {ada.user_id} {amount} why not", "is no amount")
        assert said.text.startswith(amount)
        assert await balance_of(database, ada) == 0
        assert await deeds(database, "grant") == []

    @pytest.mark.parametrize(
        ("command", "wanted"),
        [
            ("/grant {ada} 0 why not", "0 cannot be moved"),
            ("/grant {ada} -0 why not", "0 cannot be moved"),
            ("/grant {ada} 99999999999 why not", "99999999999 cannot be moved"),
            ("/grant {ada} 5", "Say why"),
            ("/grant @nobody<b> 5 why not", "Nobody is known as @nobody<b>"),
            ("/grant {ada}", "Write it like this"),
            ("/grant", "Write it like this"),
        ],
    )
    async def test_what_cannot_be_granted_is_refused_in_a_sentence(
        self, ada: Guest, eve: Guest, database: Database, command: str, wanted: str
    ) -> None:
        await start(ada)
        await ask(eve, command.format(ada=ada.user_id), wanted)
        assert await balance_of(database, ada) == 0


class TestRefund:
    async def test_the_summary_says_what_was_spent_and_a_press_gives_the_money_back(
        self, eve: Guest, till: Till, database: Database, bot: Bot
    ) -> None:
        sale = await sell(till)
        asked = await ask(eve, f"/refund {sale.charge_id} it did <not> work", "XTR")
        assert "50 XTR for 50 stars" in asked.text
        assert "Since then: orders 0, pictures 0, spent 0 stars. Balance: 50 stars." in asked.text
        assert "The guest will read: it did <not> work" in asked.text
        assert asked.labels == ["Refund", "Leave it"]
        await eve.press(asked, "Refund")
        done = await eve.wait_for(lambda message: "✅ Refunded" in message.text)
        assert done.message_id == asked.message_id
        assert done.labels == []
        assert (await till.guest.wallet()).xtr == 1000
        assert await tell_guests(database, BotMessenger(bot)) == 1
        assert await tell_guests(database, BotMessenger(bot)) == 0
        told = await till.guest.wait_for(lambda message: "went back" in message.text)
        assert "Your payment of 50 Telegram Stars went back to you." in told.text
        assert "50 stars left your purse. You have 0 stars now." in told.text
        assert "The reason: it did <not> work" in told.text
        assert await deeds(database, "refund") == [f"telegram:{eve.user_id}"]
        report = await reconcile(database, TelegramStars(bot), shop=till.shop)  # the third to tell of it
        assert report is not None
        assert report.differences == ()
        assert await till.rows() == [("PURCHASE", 50, "REFUNDED"), ("REFUND", -50, "COMPLETED")]
        await assert_accounts_are_true(database)

    async def test_spent_stars_need_the_other_button_and_then_nothing_can_be_spent(
        self, eve: Guest, till: Till, database: Database, bot: Bot
    ) -> None:
        sale = await sell(till, spent=12)
        asked = await ask(eve, f"/refund {sale.charge_id}", "not all there")
        assert "12 stars short. After a refund the balance would be −12 stars" in asked.text
        assert asked.labels == ["Refund anyway (12 short)", "Leave it"]
        await eve.press(asked, "Refund anyway")
        await eve.wait_for(lambda message: "✅ Refunded" in message.text)
        assert await balance_of(database, till.guest) == -12
        await tell_guests(database, BotMessenger(bot))
        await till.guest.wait_for(lambda message: "you are 12 stars short" in message.text)
        said = await till.guest.say("a red boat")
        refused = await answer_to(till.guest, said, "Nothing was charged.")
        assert (
            "A payment went back to you after its stars were spent: you are 12 stars short." in refused.text
        )

    async def test_stars_spent_between_the_question_and_the_press_are_asked_about_anew(
        self, eve: Guest, till: Till, database: Database
    ) -> None:
        sale = await sell(till)
        asked = await ask(eve, f"/refund {sale.charge_id}", "XTR")
        await till.spend(sale, 5)
        answer = await eve.press(asked, "Refund")
        assert answer is not None
        assert "spent meanwhile" in answer["text"]
        anew = await eve.wait_for(lambda message: "Refund anyway (5 short)" in message.labels)
        assert anew.message_id == asked.message_id
        assert (await till.guest.wallet()).xtr == 950

    async def test_leaving_it_changes_nothing(self, eve: Guest, till: Till, database: Database) -> None:
        sale = await sell(till)
        asked = await ask(eve, f"/refund {sale.charge_id}", "XTR")
        await eve.press(asked, "Leave it")
        await eve.wait_for(lambda message: "Left as it is." in message.text)
        assert await balance_of(database, till.guest) == 50

    async def test_two_operators_press_and_the_second_learns_who_was_first(
        self, eve: Guest, olga: Guest, till: Till, database: Database
    ) -> None:
        sale = await sell(till)
        asked_eve = await ask(eve, f"/refund {sale.charge_id} of eve", "XTR")
        asked_olga = await ask(olga, f"/refund {sale.charge_id} of olga", "XTR")
        answers = await asyncio.gather(eve.press(asked_eve, "Refund"), olga.press(asked_olga, "Вернуть"))
        (first,) = await deeds(database, "refund")
        texts = [(answer or {}).get("text", "") for answer in answers]
        late = texts[1] if first == f"telegram:{eve.user_id}" else texts[0]
        assert first in late
        assert [bool(text) for text in texts].count(True) == 1
        assert (await till.guest.wallet()).xtr == 1000
        assert [row[2] for row in await till.rows() if row[0] == "REFUND"] == ["COMPLETED"]
        await assert_accounts_are_true(database)

    async def test_an_answer_of_telegram_that_is_lost_ends_as_one_refund(
        self, eve: Guest, till: Till, database: Database, bot: Bot
    ) -> None:
        sale = await sell(till)
        asked = await ask(eve, f"/refund {sale.charge_id}", "XTR")
        await eve.add_fault("lost_update", method="refunded_payment")
        await eve.add_fault("dropped_after", method="refundstarpayment")
        await eve.press(asked, "Refund")
        await eve.wait_for(lambda message: "⏱ Telegram has not answered" in message.text)
        async with database.transaction() as tx:
            await tx.execute(sql("UPDATE starbooth.refunds SET due_at = now()"))
        await carry_out_due(database, TelegramStars(bot))
        assert await balance_of(database, till.guest) == 0
        assert (await till.guest.wallet()).xtr == 1000
        looked = await ask(eve, f"/refund {sale.charge_id}", "It went back on")
        assert f"asked for by telegram:{eve.user_id}" in looked.text
        assert looked.labels == []

    async def test_an_unknown_charge_and_no_charge_are_refused(self, eve: Guest) -> None:
        await ask(eve, "/refund stx_no", "No payment with this charge id")
        await ask(eve, "/refund", "Write it like this: /refund")


class TestLostPayments:
    async def test_a_payment_that_nobody_told_us_of_is_credited_by_the_list_and_its_guest_hears_of_it(
        self, eve: Guest, till: Till, database: Database, bot: Bot
    ) -> None:
        await eve.add_fault("lost_update", method="successful_payment")
        await till.sell(is_credited=False)
        at_once = Patience(fresh=timedelta(seconds=-5))
        for _ in range(2):
            assert await reconcile(database, TelegramStars(bot), shop=till.shop, patience=at_once)
            await tell_guests(database, BotMessenger(bot))
        assert await balance_of(database, till.guest) == 50
        told = [each.text for each in await till.guest.messages() if "has arrived" in each.text]
        assert len(told) == 1
        assert "It brought you 50 stars; you have 50 stars now." in told[0]
        assert await till.rows() == [("PURCHASE", 50, "COMPLETED")]


class TestMoneyThatWentBackWithoutUs:
    async def test_telegrams_support_refunds_and_the_message_takes_the_stars(
        self, till: Till, stars: Stars, database: Database, bot: Bot
    ) -> None:
        sale = await sell(till)
        await stars.refund(sale.charge_id)
        for _ in range(200):
            if await balance_of(database, till.guest) == 0:
                break
            await asyncio.sleep(0.02)
        await tell_guests(database, BotMessenger(bot))
        told = await till.guest.wait_for(lambda message: "went back" in message.text)
        assert "Telegram gave it back; nobody of the booth asked for it." in told.text
        report = await reconcile(database, TelegramStars(bot), shop=till.shop)
        assert report is not None
        assert report.differences == ()

    async def test_a_message_that_is_lost_is_made_good_by_the_list(
        self, eve: Guest, till: Till, stars: Stars, database: Database
    ) -> None:
        sale = await sell(till)
        await eve.add_fault("lost_update", method="refunded_payment")
        await stars.refund(sale.charge_id)
        said = await ask(eve, "/reconcile", "agree")
        assert "went back without us" in said.text
        assert await balance_of(database, till.guest) == 0
        assert await till.rows() == [("PURCHASE", 50, "REFUNDED"), ("REFUND", -50, "COMPLETED")]


class TestLists:
    async def test_payments_are_listed_with_buttons_that_show_them(self, eve: Guest, till: Till) -> None:
        await sell(till)
        listed = await ask(eve, "/payments", "Payments")
        assert "50 XTR" in listed.text
        assert listed.labels == ["1"]
        await eve.press(listed, "1")
        shown = await eve.wait_for(lambda message: "Refund" in message.labels, after=listed)
        assert "Since then" in shown.text
        await ask(eve, f"/payments {till.guest.user_id}", "50 XTR")
        await ask(eve, f"/payments {eve.user_id}", "There is no payment yet.")
        await ask(eve, "/payments @nobody", "Nobody is known")

    async def test_a_difference_is_told_with_what_to_do(
        self, eve: Guest, till: Till, playground: str
    ) -> None:
        sale = await sell(till)
        async with httpx.AsyncClient(base_url=playground, trust_env=False) as http:
            (
                await http.post("/control/stars/chargeback", json={"charge_id": sale.charge_id})
            ).raise_for_status()
        said = await ask(eve, "/reconcile", "books")
        assert "✔️ A payment of 50 XTR" in said.text


class TestEverybodyElse:
    @pytest.mark.parametrize(
        "command", ["/grant {me} 1000 please", "/refund {charge} please", "/payments", "/reconcile"]
    )
    async def test_there_is_no_such_command_for_them(
        self, till: Till, database: Database, command: str
    ) -> None:
        sale = await sell(till)
        wallet = await till.guest.wallet()
        with capture_logs() as logs:
            said = await till.guest.say(command.format(me=till.guest.user_id, charge=sale.charge_id))
            answered = await answer_to(till.guest, said, UNKNOWN)
        assert answered.labels == []
        assert await balance_of(database, till.guest) == 50
        assert await till.guest.wallet() == wallet
        async with database.transaction() as tx:
            assert await tx.scalar(sql("SELECT count(*) FROM starbooth.operator_log")) == 0
        (line,) = [log for log in logs if log["event"] == "operators.not_one"]
        assert line["telegram_id"] == till.guest.user_id

    async def test_forged_buttons_do_nothing(self, eve: Guest, till: Till, database: Database) -> None:
        sale = await sell(till)
        await ask(eve, f"/refund {sale.charge_id}", "XTR")
        async with database.transaction() as tx:
            number = await tx.scalar(sql("SELECT max(number) FROM starbooth.operator_log"))
            for update_id, wish in enumerate(("refund", "force", "leave"), 900_000_000):
                forged = press_update(update_id, f"op:{wish}:{number}", chat_id=till.guest.user_id)
                await keep_updates(tx, [forged])
        for _ in range(300):
            async with database.transaction() as tx:
                waiting = await tx.scalar(
                    sql("SELECT count(*) FROM starbooth.inbox WHERE update_id >= 900000000 AND tries = 0")
                )
            if not waiting:
                break
            await asyncio.sleep(0.02)
        assert waiting == 0
        assert await balance_of(database, till.guest) == 50
        assert await deeds(database, "refund") == []


class TestButtons:
    @pytest.mark.parametrize(
        "text", [None, "", "op:", "op:refund:", "op:refund:x", "op:look:5", "op:refund:٣", "op:burn:1"]
    )
    def test_what_no_button_says_is_not_understood(self, text: str | None) -> None:
        assert parse_deed(text) is None

    @pytest.mark.parametrize(
        "deed", [Deed(wish=Wish.LOOK, subject="c" + "a" * 24), Deed(wish=Wish.FORCE, subject="7")]
    )
    def test_every_button_is_understood_and_fits(self, deed: Deed) -> None:
        assert parse_deed(str(deed)) == deed
        assert len(str(deed).encode()) <= 64
