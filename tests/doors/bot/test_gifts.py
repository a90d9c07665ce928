"""Gifts through the real bot: the day's, codes, friends, and the welcome that comes once in a lifetime."""

from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from aiogram import Bot
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.settings import Settings
from starbooth.domain.generations.request import Limits
from starbooth.domain.gifts.promo import add_code
from starbooth.domain.gifts.referrals import pay_due
from starbooth.domain.payments.credit import credit
from starbooth.domain.payments.payment import Payment
from starbooth.domain.payments.shop import shop_of
from starbooth.doors.bot.gifts import tell_gifts
from starbooth.doors.bot.handlers import Handlers
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.terms import Terms
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import MakeGuest, running_bot
from tests.doors.bot.recording import RecordingSession
from tests.doors.bot.updates import message_update
from tests.make.payments import PAID_AT
from tests.playground.guest import Guest


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A booth that gives something every day."""
    return settings.model_copy(update={"daily_stars": 5})


async def make_code(database: Database, code: str = "SUMMER", *, stars: int = 7, uses: int = 10) -> None:
    async with database.transaction() as tx:
        await add_code(tx, typed=code, amount_stars=stars, uses=uses, days=1, operator="command:test")


async def pay(database: Database, settings: Settings, guest: Guest, charge_id: str) -> None:
    """The guest's payment for fifty stars reaches the ledger."""
    payment = Payment(
        charge_id=charge_id,
        telegram_id=guest.user_id,
        payload="of nothing",
        amount_xtr=50,
        paid_at=PAID_AT,
        came_by="update",
    )
    async with database.transaction() as tx:
        await credit(tx, payment, shop=shop_of(settings))


async def code_of(guest: Guest) -> str:
    """The code in the guest's own link."""
    asked = await guest.say("/invite")
    invitation = await answer_to(guest, asked, "Bring a friend")
    return invitation.text.partition("start=")[2].split()[0]


@pytest.mark.usefixtures("at_work")
class TestDaily:
    async def test_the_gift_comes_once_a_day_and_says_when_the_next_one_does(
        self, ada: Guest, database: Database
    ) -> None:
        await start(ada)
        asked = await ada.say("/daily")
        given = await answer_to(ada, asked, "🎁 5 stars for you today.")
        assert "You have 25 stars." in given.text
        assert "at 00:00 UTC" in given.text
        asked = await ada.say("/DAILY")
        await answer_to(ada, asked, "You have had today's gift.")
        assert await balance_of(database, ada) == 25

    async def test_it_stands_among_the_commands(self, ada: Guest) -> None:
        asked = await ada.say("/help")
        assert "/daily – The gift of the day" in (await answer_to(ada, asked, "/cancel")).text


class TestNoDaily:
    async def test_a_booth_that_gives_nothing_does_not_know_the_command(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        mean = settings.model_copy(update={"daily_stars": 0, "referral_stars": 0})
        async with running_bot(database, mean, bot):
            for command in ("/daily", "/invite"):
                asked = await ada.say(command)
                await answer_to(ada, asked, "I do not know that command.")
            asked = await ada.say("/help")
            helped = await answer_to(ada, asked, "/cancel")
        assert "/daily" not in helped.text
        assert "/invite" not in helped.text
        assert await balance_of(database, ada) == 20

    async def test_a_link_of_a_friend_is_greeted_and_nothing_more(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        mean = settings.model_copy(update={"referral_stars": 0})
        async with running_bot(database, mean, bot):
            await ada.say("/start ref_0123456789abcdef")
            await ada.wait_for(lambda message: "Hello, Ada!" in message.text)


@pytest.mark.usefixtures("at_work")
class TestPromo:
    async def test_a_code_works_once_in_any_spelling(self, ada: Guest, database: Database) -> None:
        await make_code(database)
        await start(ada)
        asked = await ada.say("/promo  sum mer ")
        given = await answer_to(ada, asked, "🎉 The code SUMMER gave you 7 stars.")
        assert "You have 27 stars." in given.text
        asked = await ada.say("/promo SUMMER")
        await answer_to(ada, asked, "You have used this code before.")
        assert await balance_of(database, ada) == 27

    async def test_a_link_greets_the_new_guest_and_gives_both_gifts(
        self, ada: Guest, database: Database
    ) -> None:
        await make_code(database)
        await ada.say("/start promo_SUMMER")
        hello = await ada.wait_for(lambda message: "A welcome gift: 20 stars" in message.text)
        given = await ada.wait_for(lambda message: "gave you 7 stars" in message.text)
        assert hello.message_id < given.message_id
        assert await balance_of(database, ada) == 27

    async def test_without_a_code_it_says_how(self, ada: Guest) -> None:
        asked = await ada.say("/promo")
        await answer_to(ada, asked, "/promo SUMMER")

    async def test_a_wrong_code_is_refused_and_the_eleventh_has_to_wait(
        self, ada: Guest, database: Database
    ) -> None:
        await make_code(database)
        await start(ada)
        for number in range(10):
            asked = await ada.say(f"/promo GUESS{number}")
            await answer_to(ada, asked, "I do not know this code.")
        asked = await ada.say("/promo SUMMER")
        await answer_to(ada, asked, "Please wait: about 60\u00a0min.")
        assert await balance_of(database, ada) == 20

    async def test_a_code_that_is_used_up_says_so_in_the_guests_language(
        self, make_guest: MakeGuest, ada: Guest, database: Database
    ) -> None:
        await make_code(database, uses=1)
        asked = await ada.say("/promo SUMMER")
        await answer_to(ada, asked, "gave you")
        bo = await make_guest("Bo", "ru")
        asked = await bo.say("/promo SUMMER")
        await answer_to(bo, asked, "Этот код уже разобрали")


@pytest.mark.usefixtures("at_work")
class TestFriends:
    async def test_the_invitation_has_a_link_of_ones_own_to_share(self, ada: Guest, bot: Bot) -> None:
        asked = await ada.say("/invite")
        invitation = await answer_to(ada, asked, "Bring a friend")
        link = next(line for line in invitation.text.split("\n") if line.startswith("https://t.me/"))
        assert link.startswith(f"https://t.me/{(await bot.me()).username}?start=ref_")
        assert len(link.partition("start=")[2]) <= 64
        share = urlsplit(invitation.buttons[0]["url"])
        assert (share.netloc, share.path) == ("t.me", "/share/url")
        assert parse_qs(share.query)["url"] == [link]
        assert "Friends who came: 0." in invitation.text

    async def test_both_are_paid_and_told_after_the_friends_first_purchase(
        self,
        ada: Guest,
        make_guest: MakeGuest,
        database: Database,
        settings: Settings,
        bot: Bot,
    ) -> None:
        code = await code_of(ada)
        bo = await make_guest("Bo", "es")
        await bo.say(f"/start {code}")
        await bo.wait_for(lambda message: "Bo" in message.text)
        assert await pay_due(database, reward_stars=10, cap=20) == 0
        await pay(database, settings, bo, "stx_1")
        assert await pay_due(database, reward_stars=10, cap=20) == 2
        assert await tell_gifts(database, BotMessenger(bot)) == 2
        assert await tell_gifts(database, BotMessenger(bot)) == 0
        told = await ada.wait_for(lambda message: "a friend whom you brought" in message.text)
        assert "You have 30 stars." in told.text
        told = await bo.wait_for(lambda message: "por el enlace de un amigo" in message.text)
        assert "80 estrellas" in told.text
        asked = await ada.say("/invite")
        assert "Friends who came: 1." in (await answer_to(ada, asked, "You were rewarded for: 1")).text

    async def test_who_is_known_already_is_nobodys_new_friend(
        self, ada: Guest, make_guest: MakeGuest, database: Database, settings: Settings
    ) -> None:
        code = await code_of(ada)
        bo = await make_guest("Bo")
        first = await start(bo)
        await bo.say(f"/start {code}")
        await bo.wait_for(lambda message: "Hello, Bo!" in message.text, after=first)
        await pay(database, settings, bo, "stx_1")
        assert await pay_due(database, reward_stars=10, cap=20) == 0

    async def test_ones_own_link_and_a_made_up_one_are_greeted_and_bring_nothing(
        self, ada: Guest, make_guest: MakeGuest, database: Database
    ) -> None:
        code = await code_of(ada)
        asked = await ada.say(f"/start {code}")
        await answer_to(ada, asked, "Hello, Ada!")
        bo = await make_guest("Bo")
        await bo.say("/start ref_0000000000000000")
        await bo.wait_for(lambda message: "Hello, Bo!" in message.text)
        async with database.transaction() as tx:
            assert await tx.scalar(text("SELECT count(*) FROM starbooth.referrals")) == 0

    async def test_who_blocked_the_bot_is_paid_and_not_told(
        self, ada: Guest, make_guest: MakeGuest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        code = await code_of(ada)
        bo = await make_guest("Bo")
        await bo.say(f"/start {code}")
        await bo.wait_for(lambda message: "Hello, Bo!" in message.text)
        await pay(database, settings, bo, "stx_1")
        await pay_due(database, reward_stars=10, cap=20)
        await ada.block()
        assert await tell_gifts(database, BotMessenger(bot)) == 1
        assert await balance_of(database, ada) == 30
        async with database.transaction() as tx:
            assert await tx.scalar(text("SELECT count(*) FROM starbooth.gift_news")) == 0


class TestNews:
    async def test_a_telegram_that_fails_holds_back_the_message_and_not_the_stars(
        self, ada: Guest, make_guest: MakeGuest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        async with running_bot(database, settings, bot):
            code = await code_of(ada)
            bo = await make_guest("Bo")
            await bo.say(f"/start {code}")
            await bo.wait_for(lambda message: "Hello, Bo!" in message.text)
        await pay(database, settings, bo, "stx_1")
        await pay_due(database, reward_stars=10, cap=20)
        await ada.add_fault("server_error", method="sendMessage")  # for one call
        assert await tell_gifts(database, BotMessenger(bot)) == 1
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.gift_news SET due_at = now()"))
        assert await tell_gifts(database, BotMessenger(bot)) == 1
        assert [await balance_of(database, guest) for guest in (ada, bo)] == [30, 80]


@pytest.mark.usefixtures("at_work")
class TestWelcomeOnce:
    async def test_blocking_coming_back_and_starting_again_give_nothing_more(
        self, ada: Guest, database: Database
    ) -> None:
        first = await start(ada)
        await ada.block()
        await ada.unblock()
        await ada.say("/start")
        again = await ada.wait_for(lambda message: "Hello" in message.text, after=first)
        assert "You have 20 stars." in again.text
        assert await balance_of(database, ada) == 20


class TestHandledTwice:
    """Straight into the handlers, as after a crash: the same update once more."""

    @pytest.fixture
    def telegram(self) -> RecordingSession:
        return RecordingSession()

    @pytest.fixture
    def handlers(self, database: Database, telegram: RecordingSession) -> Handlers:
        limits = Limits(active_orders=3, deadline=timedelta(seconds=60))
        terms = Terms(welcome_stars=20, limits=limits, daily_stars=5, referral_stars=10, referral_cap=20)
        return Handlers(database, Bot("42:TEST", session=telegram), terms)

    @pytest.mark.parametrize("asked", ["/daily", "/promo SUMMER", "/start promo_SUMMER"])
    async def test_a_gift_is_given_once_and_told_twice_alike(
        self, handlers: Handlers, telegram: RecordingSession, database: Database, asked: str
    ) -> None:
        await make_code(database, stars=5)
        await handlers.handle(message_update(1, text=asked))
        first = telegram.texts[-1]
        await handlers.handle(message_update(1, text=asked))
        assert telegram.texts[-1] == first
        async with database.transaction() as tx:
            assert await tx.scalar(text('SELECT "stars" FROM public."User"')) == 25

    async def test_a_new_name_is_no_new_person(
        self, handlers: Handlers, telegram: RecordingSession, database: Database
    ) -> None:
        for number, name in enumerate(("ada", "countess", None), start=1):
            update = message_update(number, text="/start")
            update["message"]["from"].update({"first_name": f"Ada {number}", "username": name})
            await handlers.handle(update)
        assert "A welcome gift" in telegram.texts[0]
        assert all("You have 20 stars." in text for text in telegram.texts[1:])
        async with database.transaction() as tx:
            assert (await tx.execute(text('SELECT "stars", "username" FROM public."User"'))).one() == (
                20,
                None,
            )

    async def test_a_friend_is_noted_once_and_has_the_gift_once(
        self, handlers: Handlers, telegram: RecordingSession, database: Database
    ) -> None:
        await handlers.handle(message_update(1, chat_id=8, text="/invite"))
        code = telegram.texts[-1].partition("start=")[2].partition("<")[0]
        for _ in range(2):
            await handlers.handle(message_update(2, chat_id=9, text=f"/start {code}"))
        assert "A welcome gift: 20 stars" in telegram.texts[-2]
        async with database.transaction() as tx:
            assert await tx.scalar(text("SELECT count(*) FROM starbooth.referrals")) == 1
