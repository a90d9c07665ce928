"""The program itself: what it says, how it ends, and what outlives its end, be it sudden."""

import asyncio
import contextlib
import signal
import socket
import sqlite3
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from aiogram import Bot
from aiogram.client.telegram import TelegramAPIServer
from aiogram.exceptions import TelegramBadRequest
from aiogram.types import BotCommand, BufferedInputFile

from tests.playground.conftest import TOKEN, QuickSession, keyboard, make_world, picture
from tests.playground.guest import Guest, Stars
from tests.playground.shop import make_subscription_link, send_invoice


@contextlib.asynccontextmanager
async def program(*options: str) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Run `python -m starbooth.playground` on a free port; gives its address once it is ready."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "starbooth.playground", "--port", "0", *options, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            line = (await process.stdout.readline()).decode()
        assert line.startswith("The playground is ready: http://127.0.0.1:"), line
        yield line.split()[-1].rstrip("/"), process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def bot_at(url: str) -> Bot:
    return Bot(TOKEN, session=QuickSession(api=TelegramAPIServer.from_base(url)))


class TestRestart:
    async def test_chats_files_settings_and_pending_updates_outlive_a_kill(self, tmp_path: Path) -> None:
        async with program("--folder", str(tmp_path)) as (url, process), bot_at(url) as bot:
            async with Guest(url, "Zoe") as zoe:
                await zoe.say("/start")
                await zoe.say("a fox")
                photo = BufferedInputFile(picture(), "a.png")
                sent = await bot.send_photo(
                    zoe.user_id, photo, caption="a fox", reply_markup=keyboard("Again")
                )
                await bot.set_my_commands([BotCommand(command="start", description="Begin")])
                before = await zoe.messages()
            process.kill()
            await process.wait()
        again = program("--folder", str(tmp_path))
        async with again as (url, _), bot_at(url) as bot, Guest(url, user_id=zoe.user_id) as zoe:
            assert await zoe.messages() == before
            assert (await zoe.download(before[-1].photo_id))[:2] == b"\xff\xd8"
            update = await bot.get_updates()
            assert [each.message.text for each in update if each.message] == ["/start", "a fox"]
            await bot.edit_message_caption(caption="again", chat_id=zoe.user_id, message_id=sent.message_id)
            assert (await zoe.say("next")).message_id == sent.message_id + 1
            assert [each.command for each in await bot.get_my_commands()] == ["start"]

    async def test_money_outlives_a_kill(self, tmp_path: Path) -> None:
        async with program("--folder", str(tmp_path)) as (url, process), bot_at(url) as bot:
            async with Guest(url, "Zoe") as zoe, Stars(url) as stars:
                await zoe.say("/start")
                invoice = await send_invoice(bot, zoe, payload="ord_1")
                link = await make_subscription_link(bot)
                await stars.set_fault("unasked_payment", count=None)
                once, month = await zoe.pay(invoice), await zoe.pay(link)
                await bot.refund_star_payment(zoe.user_id, once.charge_id)
                await stars.set_fault("payment_late", seconds=300)
                late = await zoe.pay(invoice)
                before = await zoe.wallet(), await stars.transactions(), await stars.balance_xtr()
            process.kill()
            await process.wait()
        again = program("--folder", str(tmp_path))
        async with (
            again as (url, _),
            bot_at(url) as bot,
            Guest(url, user_id=zoe.user_id) as zoe,
            Stars(url) as stars,
        ):
            after = await zoe.wallet(), await stars.transactions(), await stars.balance_xtr()
            assert after == before
            assert (after[0].xtr, after[2]) == (900, 100)
            told = [each.message for each in await bot.get_updates() if each.message]
            payments = [each.successful_payment for each in told if each.successful_payment]
            charge_ids = [each.telegram_payment_charge_id for each in payments]
            assert charge_ids == [once.charge_id, month.charge_id, late.charge_id]
            with pytest.raises(TelegramBadRequest, match="CHARGE_ALREADY_REFUNDED"):
                await bot.refund_star_payment(zoe.user_id, once.charge_id)
            assert await bot.refund_star_payment(zoe.user_id, late.charge_id)
            await stars.set_fault("unasked_payment", count=None)
            assert (await zoe.pay(invoice)).status == (await zoe.pay(link)).status == "paid"
            assert (await zoe.next_month(month.charge_id)).status == "paid"
            assert len(await stars.transactions()) == len(before[1]) + 4

    async def test_a_checkout_does_not_outlive_a_kill(self, tmp_path: Path) -> None:
        async with program("--folder", str(tmp_path)) as (url, process), bot_at(url) as bot:
            async with Guest(url, "Zoe") as zoe:
                await zoe.say("/start")
                await zoe.pay(await send_invoice(bot, zoe), wait=False)
            process.kill()
            await process.wait()
        again = program("--folder", str(tmp_path))
        async with again as (url, _), bot_at(url) as bot, Guest(url, user_id=zoe.user_id) as zoe:
            (query,) = [
                each.pre_checkout_query for each in await bot.get_updates() if each.pre_checkout_query
            ]
            with pytest.raises(TelegramBadRequest, match="query is too old"):
                await bot.answer_pre_checkout_query(query.id, ok=True)
            assert (await zoe.wallet()).xtr == 1000

    async def test_a_reset_forgets_the_money_for_good(self, tmp_path: Path) -> None:
        async with program("--folder", str(tmp_path)) as (url, process), bot_at(url) as bot:
            async with Guest(url, "Zoe") as zoe, Stars(url) as stars:
                await zoe.say("/start")
                await stars.set_fault("unasked_payment", count=None)
                await stars.set_fault("payment_late", count=None, seconds=300)
                await zoe.pay(await send_invoice(bot, zoe))
                await zoe.pay(await make_subscription_link(bot))
            async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
                await http.post("/control/reset")
            process.kill()
            await process.wait()
        with sqlite3.connect(tmp_path / "playground.sqlite") as database:
            kinds = {kind for (kind,) in database.execute("SELECT DISTINCT kind FROM record")}
        database.close()
        assert kinds == {"chat", "counters"}

    def test_without_a_folder_nothing_stays_behind(self) -> None:
        world = make_world()
        folder = Path(world._scratch.name) if world._scratch else None
        assert folder is not None
        assert folder.is_dir()
        world.close()
        assert not folder.exists()


class TestEnd:
    async def test_sigterm_ends_it_soon_with_people_waiting(self) -> None:
        async with program() as (url, process), bot_at(url) as bot:
            await bot.get_updates(allowed_updates=["poll"])
            poll = asyncio.create_task(bot.get_updates(timeout=30))
            async with Guest(url) as guest:
                await guest.say("/start")
                paying = asyncio.create_task(guest.pay(await send_invoice(bot, guest)))
                waiting = asyncio.create_task(guest.wait_for(lambda message: False, timeout_s=30))
                await asyncio.sleep(0.3)
                started = time.monotonic()
                process.send_signal(signal.SIGTERM)
                await asyncio.wait_for(process.wait(), 10)
                assert time.monotonic() - started < 3
                assert await poll == []
                assert (await paying).reason == "The playground has ended."
                with pytest.raises(httpx.TransportError):
                    await waiting


class TestSettings:
    async def test_how_long_the_bot_may_think_about_a_checkout(self) -> None:
        async with program("--checkout-s", "0.1") as (url, _), bot_at(url) as bot, Guest(url) as guest:
            await guest.say("/start")
            assert (await guest.pay(await send_invoice(bot, guest))).status == "failed"

    async def test_a_port_that_is_taken_is_named(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = str(other.getsockname()[1])
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "starbooth.playground", "--port", port),
                stderr=asyncio.subprocess.PIPE,
            )
            _, told = await process.communicate()
        assert process.returncode == 1
        assert f"Cannot listen on 127.0.0.1:{port}" in told.decode()

    @pytest.mark.parametrize("token", ["TEST", "0:TEST", "42:", "42:a b"])
    async def test_a_wrong_token_is_named(self, token: str) -> None:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "starbooth.playground", "--token", token, stderr=asyncio.subprocess.PIPE
        )
        _, told = await process.communicate()
        assert process.returncode == 2
        assert "--token must look like 42:TEST" in told.decode()
