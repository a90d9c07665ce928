"""Long polling and the bot process: updates come once, whatever Telegram, the network and restarts do."""

import asyncio
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import uvicorn
from aiogram import Bot
from fastapi import FastAPI
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.settings import Settings
from starbooth.doors.bot.webhook import telegram_webhook
from tests.doors.bot.chat import answer_to, balance_of, start
from tests.doors.bot.conftest import running_bot
from tests.doors.bot.worker import Worker
from tests.make.audits import assert_accounts_are_true
from tests.playground.guest import Guest


async def count_bonuses(database: Database) -> int:
    async with database.transaction() as tx:
        found = await tx.scalar(
            text("""SELECT count(*) FROM public."StarTransaction" WHERE "type" = 'BONUS'""")
        )
    return int(found or 0)


async def calls_of(playground: str, method: str) -> list[dict[str, object]]:
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.get(f"{playground}/control/calls", params={"method": method})
    calls: list[dict[str, object]] = answer.json()["calls"]
    return calls


class TestRepeatedUpdates:
    async def test_doubled_updates_are_one_order_and_one_gift(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot, worker: Worker
    ) -> None:
        await ada.add_fault("doubled_update", method="*", count=None)
        async with running_bot(database, settings, bot):
            await ada.say("/start")
            asked = await ada.say("a red boat")
            await worker.wait_for_order()
            last = await ada.say("/balance")
            await answer_to(ada, last, "You have 17 stars.")
        assert asked.message_id < last.message_id
        assert len(await worker.orders()) == 1
        assert await count_bonuses(database) == 1

    async def test_an_update_that_comes_again_after_a_restart_is_known(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot, worker: Worker
    ) -> None:
        # The stop cuts the poll off, so what was kept last was not acknowledged and is offered again.
        for number in range(3):
            async with running_bot(database, settings, bot):
                if number == 0:
                    await start(ada)
                    await ada.say("a red boat")
                    await worker.wait_for_order()
                else:
                    asked = await ada.say("/help")
                    await answer_to(ada, asked, "How this works")
        assert len(await worker.orders()) == 1
        assert await count_bonuses(database) == 1
        assert await balance_of(database, ada) == 17

    async def test_what_is_written_while_the_bot_is_away_is_answered_later(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        asked = await ada.say("/start")
        async with running_bot(database, settings, bot):
            await answer_to(ada, asked, "Hello, Ada!")


class TestTroubleAtTelegram:
    @pytest.mark.parametrize("kind", ["server_error", "too_many_requests", "dropped_before", "dropped_after"])
    async def test_polling_goes_on(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot, kind: str
    ) -> None:
        await ada.add_fault(kind, method="getupdates", count=2, seconds=1)
        async with running_bot(database, settings, bot):
            asked = await ada.say("/start")
            await answer_to(ada, asked, "Hello, Ada!")

    @pytest.mark.parametrize("kind", ["server_error", "too_many_requests", "dropped_before"])
    async def test_an_answer_that_does_not_get_through_is_given_later(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot, kind: str
    ) -> None:
        await ada.add_fault(kind, method="sendmessage", count=1, seconds=1)
        async with running_bot(database, settings, bot):
            asked = await ada.say("/start")
            await answer_to(ada, asked, "Hello, Ada!")
        assert await count_bonuses(database) == 1

    async def test_a_second_poller_is_outlived(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot, playground: str
    ) -> None:
        async with running_bot(database, settings, bot), httpx.AsyncClient(trust_env=False) as other:
            await start(ada)
            await other.post(f"{playground}/bot{settings.token}/getUpdates", data={"timeout": "0"})
            asked = await ada.say("/help")
            await answer_to(ada, asked, "How this works")

    async def test_two_bots_by_mistake_place_one_order(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot, worker: Worker
    ) -> None:
        async with running_bot(database, settings, bot), running_bot(database, settings, bot):
            await start(ada)
            await ada.say("a red boat")
            await worker.wait_for_order()
            asked = await ada.say("/balance")
            await answer_to(ada, asked, "You have 17 stars.")
        assert len(await worker.orders()) == 1
        await assert_accounts_are_true(database)


class TestIntroduction:
    async def test_commands_and_texts_are_set_in_every_language(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        async with running_bot(database, settings, bot):
            for _ in range(250):
                found = {
                    code: [command.description for command in await bot.get_my_commands(language_code=code)]
                    for code in ("", "es", "ru")
                }
                if all(found.values()):
                    break
                await asyncio.sleep(0.02)
        assert [texts[0] for texts in found.values()] == ["Say hello", "Saludar", "Поздороваться"]

    async def test_a_wrong_token_is_logged_and_stopping_still_works(
        self, database: Database, settings: Settings, bot: Bot, capsys: pytest.CaptureFixture[str]
    ) -> None:
        wrong = Bot("42:WRONG", session=bot.session)
        async with running_bot(database, settings, wrong):
            await asyncio.sleep(0.5)
        said = "".join(capsys.readouterr())
        assert "check STARBOOTH_TELEGRAM_TOKEN" in said
        assert "WRONG" not in said


class TestStopping:
    async def test_a_telegram_that_does_not_answer_does_not_hold_it_up(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot
    ) -> None:
        await ada.add_fault("slow", method="*", count=None, seconds=15)
        loop = asyncio.get_running_loop()
        async with running_bot(database, settings, bot):
            await asyncio.sleep(0.5)
            asked_at = loop.time()
        assert loop.time() - asked_at < 5
        await ada.clear_faults()


class TestWebhookMode:
    async def test_updates_come_by_the_web_process_and_nobody_polls(
        self, ada: Guest, database: Database, settings: Settings, bot: Bot, playground: str
    ) -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        by_webhook = settings.model_copy(update={"telegram_webhook": True, "public_url": address})
        async with running_web(database, by_webhook, listener), running_bot(database, by_webhook, bot):
            await start(ada)
            info = await bot.get_webhook_info()
            asked = await ada.say("/help")
            await answer_to(ada, asked, "How this works")
        assert info.url == f"{address}/hooks/telegram"
        assert set(info.allowed_updates or ()) == {
            *("message", "callback_query", "inline_query", "my_chat_member"),
            *("subscription", "pre_checkout_query"),
        }
        assert await calls_of(playground, "getUpdates") == []


@asynccontextmanager
async def running_web(database: Database, settings: Settings, listener: socket.socket) -> AsyncIterator[None]:
    """The part of the web process that Telegram calls."""
    app = FastAPI()
    app.include_router(telegram_webhook(database, settings.signing_secret()))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await asyncio.wait_for(task, timeout=10)


class TestDeath:
    async def test_what_a_killed_process_had_in_hand_is_finished_by_another_and_done_once(
        self, ada: Guest, database: Database, database_url: str, settings: Settings, bot: Bot, worker: Worker
    ) -> None:
        # The first prompt of a guest: the gift is committed, its message hangs, the order is not placed yet.
        await ada.add_fault("slow", method="sendmessage", count=1, seconds=30)
        environment = {"DATABASE_URL": database_url, "STARBOOTH_TELEGRAM_TOKEN": settings.token}
        environment |= {"STARBOOTH_TELEGRAM_API": settings.telegram_api, "STARBOOTH_HOME": str(settings.home)}
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", _BOT_PROCESS, env=environment)
        await ada.say("a red boat")
        await wait_for_bonus(database)
        process.kill()
        await process.wait()
        await ada.clear_faults()
        assert await worker.orders() == []
        async with running_bot(database, settings, bot):
            help_asked = await ada.say("/help")
            loop = asyncio.get_running_loop()
            killed_at = loop.time()
            await worker.wait_for_order()
            assert loop.time() - killed_at < 10
            await answer_to(ada, help_asked, "How this works")
        order = (await worker.orders())[0]
        assert order.prompt == "a red boat"
        assert len(await worker.orders()) == 1
        assert await count_bonuses(database) == 1
        assert await balance_of(database, ada) == 17
        await worker.paint_all()
        picture = await ada.wait_for(lambda message: bool(message.photo_id))
        assert "a red boat" in picture.text


async def wait_for_bonus(database: Database) -> None:
    for _ in range(1000):
        if await count_bonuses(database):
            return
        await asyncio.sleep(0.02)
    raise TimeoutError


_BOT_PROCESS = """
import asyncio
from starbooth.base.database import Database
from starbooth.base.settings import read_settings
from starbooth.doors.bot.run import run_bot
from starbooth.outside.telegram.client import opened_bot

async def main():
    settings = read_settings()
    database = Database(settings.database_url.get_secret_value())
    async with opened_bot(settings.token, settings.telegram_api) as bot:
        await run_bot(database=database, settings=settings, bot=bot, stop=asyncio.Event())

asyncio.run(main())
"""
