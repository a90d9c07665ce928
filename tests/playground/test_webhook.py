"""Updates pushed to a webhook: secret, order, retries, duplicates, and the answer that is a method call."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest
from aiohttp import web

from tests.playground.conftest import Served, eventually
from tests.playground.guest import Guest, Json
from tests.playground.shop import send_invoice


@dataclass
class Hook:
    """A bot's web server: what came, and how to answer next (status codes; then always 200)."""

    url: str = ""
    came: list[Json] = field(default_factory=list)
    secrets: list[str] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    answer: Json | None = None

    async def receive(self, request: web.Request) -> web.Response:
        self.came.append(await request.json())
        self.secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token", ""))
        status = self.statuses.pop(0) if self.statuses else 200
        body = json.dumps(self.answer) if self.answer and status == 200 else "ok"
        return web.Response(status=status, text=body)

    def texts(self) -> list[str]:
        return [update["message"]["text"] for update in self.came]


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    hook = Hook()
    app = web.Application()
    app.router.add_post("/hook", hook.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield hook
    await runner.cleanup()


class TestDelivery:
    async def test_updates_come_with_the_secret_and_count_as_taken(
        self, playground: Served, bot: Bot, ada: Guest, hook: Hook
    ) -> None:
        await ada.say("before")
        await bot.set_webhook(hook.url, secret_token="shh")
        await ada.say("after")
        await eventually(lambda: len(hook.came) == 2)
        assert hook.texts() == ["before", "after"]
        assert hook.secrets == ["shh", "shh"]
        await eventually(lambda: len(playground.world.updates) == 0)
        info = await bot.get_webhook_info()
        assert (info.url, info.pending_update_count) == (hook.url, 0)

    async def test_a_refused_one_comes_again_before_the_next_of_its_chat(
        self, playground: Served, bot: Bot, ada: Guest, hook: Hook
    ) -> None:
        hook.statuses = [500, 503, 404]
        await bot.set_webhook(hook.url)
        async with Guest(playground.url, "Bob") as bob:
            await ada.say("one")
            await ada.say("two")
            await bob.say("bob")
            await eventually(lambda: len(playground.world.updates) == 0)
        assert [text for text in hook.texts() if text != "bob"][-2:] == ["one", "two"]
        assert len(hook.came) == 6
        info = await bot.get_webhook_info()
        assert "Wrong response from the webhook" in (info.last_error_message or "")

    async def test_a_server_that_is_not_there_yet_gets_everything_later(
        self, playground: Served, bot: Bot, ada: Guest, hook: Hook
    ) -> None:
        await bot.set_webhook("http://127.0.0.1:9/hook")
        await ada.say("one")
        await asyncio.sleep(0.1)
        assert len(playground.world.updates) == 1
        await bot.set_webhook(hook.url)
        await eventually(lambda: hook.texts() == ["one"])

    async def test_a_doubled_update_is_pushed_twice(
        self, playground: Served, bot: Bot, ada: Guest, hook: Hook
    ) -> None:
        await bot.set_webhook(hook.url)
        await ada.add_fault("doubled_update", method="message")
        await ada.say("twice")
        await eventually(lambda: len(hook.came) == 2 and len(playground.world.updates) == 0)
        assert hook.came[0] == hook.came[1]

    async def test_the_answer_may_be_a_method_call(self, bot: Bot, ada: Guest, hook: Hook) -> None:
        hook.answer = {"method": "sendMessage", "chat_id": ada.user_id, "text": "by answer"}
        await bot.set_webhook(hook.url)
        await ada.say("hello")
        await ada.wait_for(lambda message: message.text == "by answer")

    async def test_without_a_webhook_nothing_is_pushed(
        self, playground: Served, bot: Bot, ada: Guest, hook: Hook
    ) -> None:
        await bot.set_webhook(hook.url)
        await bot.delete_webhook()
        await ada.say("for polling")
        await asyncio.sleep(0.1)
        assert hook.came == []
        assert len(playground.world.updates) == 1

    async def test_pending_updates_can_be_dropped(
        self, playground: Served, bot: Bot, ada: Guest, hook: Hook
    ) -> None:
        await ada.say("old")
        await bot.set_webhook(hook.url, drop_pending_updates=True)
        await ada.say("new")
        await eventually(lambda: hook.texts() == ["new"])


class TestRefusals:
    @pytest.mark.parametrize(
        ("url", "complaint"),
        [
            ("http://example.org/hook", "bad webhook: An HTTPS URL must be provided for webhook"),
            (
                "https://example.org:8444/hook",
                "bad webhook: Webhook can be set up only on ports 80, 88, 443 or 8443",
            ),
            ("nonsense", "invalid webhook URL specified"),
        ],
    )
    async def test_a_wrong_address_is_refused(self, bot: Bot, url: str, complaint: str) -> None:
        with pytest.raises(TelegramBadRequest, match=complaint):
            await bot.set_webhook(url)
        assert (await bot.get_webhook_info()).url == ""

    async def test_a_wrong_secret_is_refused(self, bot: Bot) -> None:
        with pytest.raises(TelegramBadRequest, match="secret token contains unallowed characters"):
            await bot.set_webhook("https://example.org/hook", secret_token="no spaces")


class TestPayment:
    async def test_the_checkout_and_its_payment_are_pushed(self, bot: Bot, ada: Guest, hook: Hook) -> None:
        invoice = await send_invoice(bot, ada)
        await bot.set_webhook(hook.url)
        paying = asyncio.create_task(ada.pay(invoice))
        await eventually(lambda: len(hook.came) == 1)
        query_id = hook.came[0]["pre_checkout_query"]["id"]
        assert await bot.answer_pre_checkout_query(query_id, ok=True)
        paid = await paying
        await eventually(lambda: len(hook.came) == 2)
        told = hook.came[1]["message"]["successful_payment"]
        assert told["telegram_payment_charge_id"] == paid.charge_id
