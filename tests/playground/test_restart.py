"""The program itself: what it says, how it ends, and what outlives its end, be it sudden."""

import asyncio
import contextlib
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from aiogram import Bot
from aiogram.client.telegram import TelegramAPIServer
from aiogram.types import BotCommand, BufferedInputFile

from tests.playground.conftest import TOKEN, QuickSession, keyboard, make_world, picture
from tests.playground.guest import Guest


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
            poll = asyncio.create_task(bot.get_updates(timeout=30))
            async with Guest(url) as guest:
                waiting = asyncio.create_task(guest.wait_for(lambda message: True, timeout_s=30))
                await asyncio.sleep(0.3)
                started = time.monotonic()
                process.send_signal(signal.SIGTERM)
                await asyncio.wait_for(process.wait(), 10)
                assert time.monotonic() - started < 3
                assert await poll == []
                with pytest.raises(httpx.TransportError):
                    await waiting


class TestSettings:
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
