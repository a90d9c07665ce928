"""Guests' own data through the real bot: photos and consents that go, an account that is deleted."""

import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import httpx
import pytest
from aiogram import Bot
from fastapi import FastAPI
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.ids import new_id
from starbooth.base.settings import Settings
from starbooth.domain.generations.request import Limits
from starbooth.domain.gifts.before import Marks
from starbooth.domain.gifts.promo import add_code, list_codes
from starbooth.domain.privacy.erasing import erase_accounts
from starbooth.domain.privacy.exports import end_old_exports
from starbooth.domain.privacy.farewell import Belongings
from starbooth.domain.privacy.guest_photos import PhotosGone, PhotosKept
from starbooth.domain.privacy.packing import build_next_export
from starbooth.domain.users.guests import Language
from starbooth.doors.bot import privacy_screens as screens
from starbooth.doors.bot.exporting import send_next_export
from starbooth.doors.bot.handlers import Handlers
from starbooth.doors.bot.messenger import BotMessenger
from starbooth.doors.bot.privacy import farewell_by
from starbooth.doors.bot.privacy_moves import Move, Verb, parse_move
from starbooth.doors.bot.terms import Terms, terms_of
from starbooth.doors.bot.words import words_for
from starbooth.doors.files.serve import stored_files
from starbooth.outside.storage.links import is_valid
from starbooth.outside.storage.store import open_storage
from starbooth.outside.telegram.plans import TelegramPlans
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import running_bot
from tests.doors.bot.recording import RecordingSession
from tests.doors.bot.test_screens import shown_length
from tests.doors.bot.updates import press_update
from tests.make.guests import make_guest as make_guest_in
from tests.make.holdings import assert_storage_is_true
from tests.playground.guest import Guest, Message

NAMING = (Verb.LEAVE_SURELY, Verb.LEAVE_NOW, Verb.LINK)


async def now(guest: Guest, message: Message) -> Message:
    """The message as it is by now."""
    return next(each for each in await guest.messages() if each.message_id == message.message_id)


async def users(database: Database) -> dict[str, str]:
    """The accounts' Telegram ids by their own."""
    async with database.transaction() as tx:
        rows = await tx.execute(text('SELECT "id", "telegramId" FROM public."User" ORDER BY "createdAt"'))
        return {row.id: row.telegramId for row in rows}


async def erase(database: Database, bot: Bot) -> int:
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE starbooth.farewells SET due_at = now()"))
    return await erase_accounts(database, TelegramPlans(bot), farewell_by(BotMessenger(bot)), limit=5)


async def give_photos(database: Database, guest: Guest) -> None:
    """One photo to paint from, and one with a consent to learn from it."""
    values = {"id": new_id(), "telegram_id": str(guest.user_id)}
    async with database.transaction() as tx:
        user_id = await tx.scalar(
            text('SELECT "id" FROM public."User" WHERE "telegramId" = :telegram_id'), values
        )
        for statement in (
            "INSERT INTO starbooth.photos (key, user_id, width_px, height_px, kept_until)"
            " VALUES ('photos/one.jpg', :user_id, 64, 64, now() + interval '1 day')",
            "INSERT INTO starbooth.consents (id, user_id, words, language)"
            " VALUES (:id, :user_id, 'yes', 'en')",
            "INSERT INTO starbooth.photo_sets (id, user_id, chat_id, consent_id, kept_until)"
            " VALUES (:id, :user_id, 1, :id, now() + interval '1 day')",
            "INSERT INTO starbooth.set_photos (set_id, number, source, key, width_px, height_px)"
            " VALUES (:id, 1, 'one', 'training/' || CAST(:id AS text) || '/one.jpg', 64, 64)",
        ):
            wanted = {"id": values["id"], "user_id": user_id}
            await tx.execute(
                text(statement), {name: wanted[name] for name in wanted if f":{name}" in statement}
            )


@pytest.mark.usefixtures("at_work")
class TestPhotos:
    async def test_they_go_after_a_yes_and_not_before(self, ada: Guest, database: Database) -> None:
        await start(ada)
        await give_photos(database, ada)
        paper = await answer_to(ada, await ada.say("/privacy"), "What this booth knows")
        await ada.press(paper, "Delete my photos")
        asked = await answer_to(ada, paper, "2 photos of yours are kept")
        await ada.press(asked, "No, keep it all")
        assert (await now(ada, asked)).text == "Nothing was deleted."
        await ada.press(paper, "Delete my photos")
        asked = await answer_to(ada, asked, "2 photos of yours are kept")
        await ada.press(asked, "Yes, delete them")
        assert "2 photos are deleted for good." in (await now(ada, asked)).text
        await ada.press(paper, "Delete my photos")
        await answer_to(ada, asked, "There is no photo of yours here.")

    async def test_they_go_with_the_consent(self, ada: Guest, database: Database) -> None:
        await start(ada)
        paper = await answer_to(ada, await ada.say("/privacy"), "What this booth knows")
        await ada.press(paper, "Take back my consent")
        none = await answer_to(ada, paper, "You gave no consent")
        await give_photos(database, ada)
        await ada.press(paper, "Take back my consent")
        asked = await answer_to(ada, none, "Take back your consent?")
        await ada.press(asked, "Yes, take it back")
        told = (await now(ada, asked)).text
        assert "Your consent is taken back." in told
        assert "2 photos are deleted for good." in told


@pytest.mark.usefixtures("at_work")
class TestAccount:
    async def test_two_questions_then_it_is_gone_and_who_comes_back_gets_no_second_gift(
        self, ada: Guest, database: Database, bot: Bot
    ) -> None:
        await start(ada)
        assert await balance_of(database, ada) == 20
        first = await answer_to(ada, await ada.say("/deletemyaccount"), "Delete your account?")
        assert "20 stars, which are not paid back" in first.text
        await ada.press(first, "Go on…")
        second = await now(ada, first)
        assert "Really delete everything?" in second.text
        assert len(await users(database)) == 1
        await ada.press(second, "Yes, delete everything")
        assert "Your account is deleted." in (await now(ada, first)).text
        (telegram_id,) = (await users(database)).values()
        assert telegram_id.startswith("gone:")
        assert await erase(database, bot) == 1
        farewell = await answer_to(ada, first, "All that belonged to your account is gone.")
        back = await answer_to(ada, await ada.say("/start"), "You have 0 stars.")
        assert "welcome gift" not in back.text
        assert await balance_of(database, ada) == 0
        assert len(await users(database)) == 2
        assert farewell.message_id < back.message_id

    async def test_a_no_at_either_question_keeps_everything(self, ada: Guest, database: Database) -> None:
        await start(ada)
        before = await users(database)
        for presses in (["Keep my account"], ["Go on…", "Keep my account"]):
            asked = await answer_to(ada, await ada.say("/deletemyaccount"), "Delete your account?")
            for label in presses:
                await ada.press(await now(ada, asked), label)
            assert (await now(ada, asked)).text == "Nothing was deleted."
        assert await users(database) == before

    async def test_old_buttons_delete_nothing_of_who_came_back_and_make_no_account(
        self, ada: Guest, database: Database, bot: Bot
    ) -> None:
        await start(ada)
        old = [
            await answer_to(ada, await ada.say("/deletemyaccount"), "Delete your account?") for _ in range(2)
        ]
        for message in old:
            await ada.press(message, "Go on…")
        await ada.press(await now(ada, old[0]), "Yes, delete everything")
        await ada.press(await now(ada, old[1]), "Yes, delete everything")
        assert (await now(ada, old[1])).text == "That account is gone already."
        assert len(await users(database)) == 1
        other = await answer_to(ada, await ada.say("/deletemyaccount"), "Delete your account?")
        await ada.press(other, "Go on…")
        await start(ada)
        assert len([each for each in (await users(database)).values() if "gone" not in each]) == 1


async def test_a_guest_cannot_delete_somebody_else(database: Database) -> None:
    """No honest client sends what this one does."""
    telegram = RecordingSession()
    limits = Limits(active_orders=3, deadline=timedelta(minutes=5))
    terms = Terms(welcome_stars=20, limits=limits, marks=Marks(b"a secret"))
    handlers = Handlers(database, Bot("42:TEST", session=telegram), terms)
    victim = await make_guest_in(database, telegram_id=9)
    await make_guest_in(database, telegram_id=8)
    for move in (Move(verb=Verb.LEAVE_SURELY, subject=victim), Move(verb=Verb.LEAVE_NOW, subject=victim)):
        await handlers.handle(press_update(1, str(move), chat_id=8))
    assert sorted((await users(database)).values()) == ["8", "9"]
    for chat_id in (9, 9, 7):  # twice, as a second handling does it; and by nobody
        await handlers.handle(
            press_update(2, str(Move(verb=Verb.LEAVE_NOW, subject=victim)), chat_id=chat_id)
        )
    assert len(await users(database)) == 2


class TestMoves:
    @pytest.mark.parametrize("verb", list(Verb))
    def test_what_a_button_says_is_read_back(self, verb: Verb) -> None:
        move = Move(verb=verb, subject=f"c{0:024}" if verb in NAMING else "")
        assert parse_move(str(move)) == move
        assert len(str(move)) <= 64

    @pytest.mark.parametrize("said", [None, "", "p:", "p:now", "p:surely", "p:photos:x", "p:now:" + "c" * 40])
    def test_anything_else_is_nothing(self, said: str | None) -> None:
        assert parse_move(said) is None


@pytest.mark.parametrize("language", list(Language))
def test_every_screen_fits_into_a_message(language: Language) -> None:
    words = words_for(language)
    has = Belongings(stars=2**31 - 1, pictures=10**6, models=999, orders=1000, has_plan=True, has_paid=True)
    kept = PhotosKept(for_models=300, for_pictures=1000, consents=3)
    gone = PhotosGone(photos=1300, stopped=("one", "two"), consents=3)
    shown = (
        screens.render_photos(words, kept),
        screens.render_consent(words, kept),
        screens.render_photos_gone(words, gone),
        screens.render_leaving(words, has, user_id=f"c{0:024}"),
        screens.render_leaving_surely(words, user_id=f"c{0:024}"),
        screens.render_farewell(words),
    )
    assert max(shown_length(screen) for screen in shown) <= 2000


@pytest.mark.usefixtures("at_work")
class TestExport:
    async def test_it_comes_as_a_file(
        self, ada: Guest, database: Database, bot: Bot, settings: Settings
    ) -> None:
        await start(ada)
        asked = await answer_to(ada, await ada.say("/export"), "I gather all that is kept")
        again = await answer_to(ada, await ada.say("/export"), "Your file is being made already.")
        storage = open_storage(settings.storage_url)
        assert await build_next_export(database, storage)
        assert await send_next_export(database, storage, bot)
        assert not await send_next_export(database, storage, bot)
        came = await ada.wait_for(lambda message: bool(message.document_id), after=asked)
        assert "All that is kept about you" in came.text
        with zipfile.ZipFile(io.BytesIO(await ada.download(came.document_id))) as archive:
            (account,) = json.loads(archive.read("account.json"))
        assert account["telegram_id"] == str(ada.user_id)
        assert again.message_id < came.message_id

    async def test_where_it_is_too_large_a_button_gives_links_that_open_for_their_guest_alone(
        self, ada: Guest, database: Database, bot: Bot, settings: Settings
    ) -> None:
        await start(ada)
        paper = await answer_to(ada, await ada.say("/privacy"), "What this booth knows")
        await ada.press(paper, "Everything as a file")
        await answer_to(ada, paper, "I gather all that is kept")
        storage = open_storage(settings.storage_url)
        await build_next_export(database, storage)
        assert await send_next_export(database, storage, bot, largest_bytes=10)
        large = await answer_to(ada, paper, "more than I can send here")
        await ada.press(large, "Give me a link")
        given = await answer_to(ada, large, "Your link, good for an hour:")
        url = given.buttons[0]["url"]
        app = FastAPI()
        app.include_router(stored_files(storage, settings.signing_secret()))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as web:
            opened = await web.get(url)
            assert zipfile.ZipFile(io.BytesIO(opened.content)).namelist()[0] == "account.json"
            assert (await web.get(url.partition("?")[0])).status_code == 404
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.exports SET due_at = now()"))
            await end_old_exports(tx, limit=5)
        await ada.press(large, "Give me a link")
        await answer_to(ada, given, "That file is gone.")

    async def test_who_blocked_the_bot_gets_none_and_the_file_goes(
        self, ada: Guest, database: Database, bot: Bot, settings: Settings
    ) -> None:
        await start(ada)
        await answer_to(ada, await ada.say("/export"), "I gather all that is kept")
        storage = open_storage(settings.storage_url)
        await build_next_export(database, storage)
        await ada.block()
        assert await send_next_export(database, storage, bot)
        await assert_storage_is_true(database, storage)
        assert [key async for key in storage.list()] == []


class TestGiftsOfWhoComesBack:
    async def test_neither_a_code_nor_the_days_gift_comes_a_second_time(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        generous = settings.model_copy(update={"daily_stars": 7})
        async with database.transaction() as tx:
            await add_code(tx, typed="SPRING", amount_stars=5, uses=9, days=None, operator="command:test")
        async with running_bot(database, generous, bot):
            await start(ada)
            await answer_to(ada, await ada.say("/promo spring"), "5 stars")
            await answer_to(ada, await ada.say("/daily"), "7 stars")
            asked = await answer_to(ada, await ada.say("/deletemyaccount"), "Delete your account?")
            await ada.press(asked, "Go on…")
            await ada.press(await now(ada, asked), "Yes, delete everything")
            await answer_to(ada, await ada.say("/promo SPRING"), "You have used this code")
            await answer_to(ada, await ada.say("/daily"), "You have had today")
            assert await balance_of(database, ada) == 0
            async with database.transaction() as tx:
                (code,) = await list_codes(tx)
        assert code.claims == 1


class TestLinks:
    def test_a_link_ends_within_an_hour_and_opens_one_file(self, settings: Settings) -> None:
        terms = terms_of(settings)
        path, _, query = terms.file_link("models/c1/weights.safetensors").partition("?")
        fields = dict(parse_qsl(query))
        secret, moment = settings.signing_secret(), datetime.now(UTC)
        assert path == "http://127.0.0.1:9/files/models/c1/weights.safetensors"
        wanted = "/files/models/c1/weights.safetensors"
        assert is_valid(wanted, fields, secret=secret, now=moment)
        assert not is_valid(wanted, fields, secret=secret, now=moment + timedelta(minutes=61))
        assert not is_valid("/files/models/c2/weights.safetensors", fields, secret=secret, now=moment)

    def test_what_the_operator_decided_prints_no_secret(self, settings: Settings) -> None:
        assert settings.signing_secret().decode() not in repr(terms_of(settings))
