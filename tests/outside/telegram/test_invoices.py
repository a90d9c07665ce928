"""Invoices, links and answers before a payment: to a playground, and to a Telegram that says no."""

from typing import Any

import httpx
import pytest
from aiogram import Bot

from starbooth.outside.telegram.errors import Blocked, TelegramRefused, TelegramUnavailable, TooLate
from starbooth.outside.telegram.invoices import (
    Invoice,
    answer_checkout,
    create_invoice_link,
    send_invoice,
)
from tests.outside.scripted import ScriptedServer

INVOICE = Invoice(title="50 stars", description="For pictures.", payload="c" * 25, amount_xtr=50)
NOBODY = 999_999


async def send(bot: Bot, chat_id: int, invoice: Invoice = INVOICE) -> int:
    return await send_invoice(bot, invoice, chat_id=chat_id, pay_label="Pay 50 ⭐", start_parameter="buy")


async def message_of(control: httpx.AsyncClient, chat_id: int, message_id: int) -> dict[str, Any]:
    found = (await control.get(f"/users/{chat_id}/messages")).raise_for_status().json()
    return next(each for each in found["messages"] if each["message_id"] == message_id)


class TestSending:
    async def test_it_costs_xtr_and_has_one_button_that_pays(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        shown = await message_of(control, chat_id, await send(bot, chat_id))
        assert shown["invoice"] == {
            "title": "50 stars",
            "description": "For pictures.",
            "start_parameter": "buy",
            "currency": "XTR",
            "total_amount": 50,
        }
        ((button,),) = shown["reply_markup"]["inline_keyboard"]
        assert (button["text"], button["pay"]) == ("Pay 50 ⭐", True)

    async def test_nobody_gets_none(self, bot: Bot) -> None:
        with pytest.raises(Blocked):
            await send(bot, NOBODY)

    async def test_a_shape_that_telegram_does_not_take_is_refused(self, bot: Bot, chat_id: int) -> None:
        with pytest.raises(TelegramRefused):
            await send(bot, chat_id, Invoice(title="", description="x", payload="p", amount_xtr=50))


class TestLinks:
    async def test_a_link_leads_to_the_invoice(self, bot: Bot, control: httpx.AsyncClient) -> None:
        link = await create_invoice_link(bot, INVOICE)
        assert link.startswith("https://t.me/$")
        found = (await control.get(f"/invoices/{link.removeprefix('https://t.me/$')}")).json()
        assert (found["title"], found["amount_xtr"], found["period_s"]) == ("50 stars", 50, 0)


class TestAnswers:
    async def test_a_question_that_nobody_asked_is_too_old(self, bot: Bot) -> None:
        with pytest.raises(TooLate):
            await answer_checkout(bot, "12345", refusal=None)

    async def test_a_no_bears_its_reason(self, scripted_bot: Bot, scripted: ScriptedServer) -> None:
        scripted.will_say({"ok": True, "result": True})
        await answer_checkout(scripted_bot, "1", refusal="Too old.")
        asked = scripted.asked[0].body.decode()
        assert asked == "pre_checkout_query_id=1&ok=false&error_message=Too+old."

    async def test_a_telegram_that_is_away_is_unavailable(
        self, scripted_bot: Bot, scripted: ScriptedServer
    ) -> None:
        scripted.will_say({"ok": False, "error_code": 502, "description": "Bad Gateway"}, status=502)
        with pytest.raises(TelegramUnavailable):
            await answer_checkout(scripted_bot, "1", refusal=None)
