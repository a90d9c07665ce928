"""The papers through the real bot: /paysupport reaches the operators, /terms and /privacy are whole."""

from datetime import timedelta

import pytest
from aiogram import Bot
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.settings import Settings
from starbooth.domain.payments.credit import credit
from starbooth.domain.payments.payment import Payment
from starbooth.domain.payments.shop import shop_of
from starbooth.domain.users.guests import Language
from starbooth.doors.bot import papers_screens as screens
from starbooth.doors.bot.alerts import send_alerts
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.words import words_for
from tests.doors.bot.chat import answer_to, start
from tests.doors.bot.conftest import MakeGuest, running_bot
from tests.doors.bot.test_screens import shown_length
from tests.doors.bot.test_words import Tags
from tests.make.payments import PAID_AT
from tests.playground.guest import Guest

LANGUAGES = list(Language)
LONGEST_SUPPORT = "a" * 188 + "@example.com"


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A booth with somebody to write to."""
    return settings.model_copy(update={"support": "@booth_help"})


async def alerts(database: Database) -> list[dict[str, object]]:
    async with database.transaction() as tx:
        rows = await tx.execute(
            text("SELECT facts FROM starbooth.alerts WHERE kind = 'support' ORDER BY created_at")
        )
    return list(rows.scalars())


@pytest.mark.usefixtures("at_work")
class TestPaysupport:
    async def test_without_a_message_it_says_how_and_whom_to_ask(
        self, ada: Guest, database: Database
    ) -> None:
        asked = await ada.say("/paysupport")
        told = await answer_to(ada, asked, "Something is wrong with a payment?")
        assert "@booth_help" in told.text
        assert "PROVIDER_ACCOUNT_INVALID" in told.text
        assert await alerts(database) == []

    async def test_a_message_reaches_the_operators_with_the_payments_and_a_reference(
        self, ada: Guest, make_guest: MakeGuest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        await start(ada)
        for number in range(7):
            await pay(database, settings, ada, f"stx_{number}", minutes=number)
        asked = await ada.say("/paysupport Where are <my> stars?\nI paid twice")
        answer = await answer_to(ada, asked, "Its reference:")
        reference = answer.text.partition("reference: ")[2].split()[0]
        assert len(reference) == 8
        facts = (await alerts(database))[0]
        assert facts["telegram_id"] == ada.user_id
        assert facts["charges"] == ["stx_6", "stx_5", "stx_4", "stx_3", "stx_2"]
        boss = await make_guest("Boss")
        await start(boss)
        await send_alerts(database, BotMessenger(bot), operators=[boss.user_id])
        told = await boss.wait_for(lambda message: reference in message.text)
        assert "Where are <my> stars? I paid twice" in told.text
        assert "stx_6" in told.text
        assert str(ada.user_id) in told.text

    async def test_the_fourth_message_within_an_hour_has_to_wait(
        self, ada: Guest, database: Database
    ) -> None:
        for number in range(3):
            asked = await ada.say(f"/paysupport message {number}")
            await answer_to(ada, asked, "Its reference:")
        asked = await ada.say("/paysupport message 3")
        await answer_to(ada, asked, "That was often enough for now.")
        assert len(await alerts(database)) == 3

    async def test_blanks_are_no_message(self, ada: Guest, database: Database) -> None:
        asked = await ada.say("/paysupport    \n ")
        await answer_to(ada, asked, "Something is wrong")
        assert await alerts(database) == []

    async def test_who_never_paid_is_passed_on_too(
        self, ada: Guest, make_guest: MakeGuest, database: Database, bot: Bot
    ) -> None:
        asked = await ada.say("/paysupport " + "?" * 4000)
        await answer_to(ada, asked, "Its reference:")
        boss = await make_guest("Boss", "es")
        await start(boss)
        await send_alerts(database, BotMessenger(bot), operators=[boss.user_id])
        told = await boss.wait_for(lambda message: "Referencia" in message.text)
        assert "No ha hecho ningún pago." in told.text


async def pay(database: Database, settings: Settings, guest: Guest, charge_id: str, *, minutes: int) -> None:
    payment = Payment(
        charge_id=charge_id,
        telegram_id=guest.user_id,
        payload="of nothing",
        amount_xtr=50,
        paid_at=PAID_AT + timedelta(minutes=minutes),
        came_by="update",
    )
    async with database.transaction() as tx:
        await credit(tx, payment, shop=shop_of(settings))


@pytest.mark.usefixtures("at_work")
class TestPapers:
    @pytest.mark.parametrize(
        ("command", "language", "wanted"),
        [
            ("/terms", "en", "The rules of this booth"),
            ("/terms", "es", "Las reglas de este fotomatón"),
            ("/terms", "ru", "Правила этой фотобудки"),
            ("/privacy", "en", "What this booth knows about you"),
            ("/privacy", "es", "Lo que este fotomatón sabe de ti"),
            ("/privacy", "ru", "Что эта фотобудка знает о вас"),
        ],
    )
    async def test_each_paper_comes_whole_in_the_guests_language(
        self, make_guest: MakeGuest, command: str, language: str, wanted: str
    ) -> None:
        bo = await make_guest("Bo", language)
        asked = await bo.say(command)
        paper = await answer_to(bo, asked, wanted)
        assert "@booth_help" in paper.text
        assert "/paysupport" in paper.text

    async def test_the_papers_stand_among_the_commands(self, ada: Guest) -> None:
        asked = await ada.say("/help")
        helped = await answer_to(ada, asked, "/cancel")
        assert all(f"/{name} – " in helped.text for name in ("paysupport", "terms", "privacy"))


class TestNobodyToWriteTo:
    async def test_the_papers_name_the_command_instead(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        quiet = settings.model_copy(update={"support": ""})
        async with running_bot(database, quiet, bot):
            asked = await ada.say("/terms")
            terms = await answer_to(ada, asked, "The rules of this booth")
            asked = await ada.say("/paysupport")
            support = await answer_to(ada, asked, "Something is wrong")
        assert "Write by /paysupport" in terms.text
        assert "You can also write to" not in support.text


@pytest.mark.parametrize("language", LANGUAGES)
class TestScreens:
    def test_every_paper_fits_into_a_message(self, language: Language) -> None:
        words = words_for(language)
        for screen in (
            screens.render_support(words, support=LONGEST_SUPPORT),
            screens.render_passed_on(words, reference="0123ABCD", support=LONGEST_SUPPORT),
            screens.render_terms(words, support=LONGEST_SUPPORT),
            screens.render_privacy(words, support=LONGEST_SUPPORT, photo_days=365),
        ):
            Tags(screen.html)
            assert shown_length(screen) < 4096

    def test_the_longest_message_of_a_guest_fits_into_one_for_operators(self, language: Language) -> None:
        said = screens.word_message(
            words_for(language),
            who="@" + "w" * 32,
            text="<&🦊" * 1365,
            charges="\n".join(["c" * 128] * 5),
            reference="0123ABCD",
        )
        Tags(str(said))
        assert len(said.striptags()) < 4096
