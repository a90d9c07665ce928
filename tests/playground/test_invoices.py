"""Invoices and links: what Telegram takes and refuses, the Pay button, and copies in other chats."""

import json
from typing import Any

import httpx
import pytest
from aiogram import Bot
from aiogram.exceptions import TelegramBadRequest, TelegramForbiddenError
from aiogram.types import InlineKeyboardButton, InlineKeyboardMarkup

from starbooth.playground.bot_api import BotApi
from starbooth.playground.errors import ApiError
from starbooth.playground.markup import parse_invoice_markup
from starbooth.playground.params import Params
from starbooth.playground.till import MAX_INVOICES, Invoice
from tests.playground.conftest import TOKEN, Served, keyboard, make_world
from tests.playground.guest import Guest
from tests.playground.shop import PERIOD_S, make_link, make_subscription_link, pay, prices, send_invoice

GOOD: dict[str, str] = {
    "title": "A pack",
    "description": "50 stars",
    "payload": "ord_1",
    "currency": "XTR",
    "prices": '[{"label": "Stars", "amount": 50}]',
}
REFUSED: list[tuple[dict[str, str], str]] = [
    ({"title": ""}, 'parameter "title" is required'),
    ({"description": ""}, 'parameter "description" is required'),
    ({"payload": ""}, 'parameter "payload" is required'),
    ({"currency": ""}, 'parameter "currency" is required'),
    ({"prices": ""}, 'parameter "prices" is required'),
    ({"title": "a" * 33}, "STARS_INVOICE_INVALID"),
    ({"description": "a" * 256}, "STARS_INVOICE_INVALID"),
    ({"payload": "é" * 65}, "INVOICE_PAYLOAD_INVALID"),
    ({"currency": "XTS"}, "PAYMENT_PROVIDER_INVALID"),
    ({"currency": "EUR"}, "PAYMENT_PROVIDER_INVALID"),
    ({"provider_token": "1:TEST"}, "STARS_INVOICE_INVALID"),
    ({"start_parameter": "no spaces"}, "START_PARAM_INVALID"),
    ({"prices": "{"}, "can't parse prices JSON object"),
    ({"prices": "{}"}, "expected an Array of labeled prices"),
    ({"prices": "[]"}, "there must be at least one price"),
    ({"prices": "[1]"}, "can't parse labeled price: LabeledPrice must be an Object"),
    ({"prices": '[{"amount": 1}]'}, "can't parse labeled price: Can't find field \"label\""),
    ({"prices": '[{"label": "a"}]'}, "can't parse labeled price: Can't find field \"amount\""),
    ({"prices": '[{"label": 1, "amount": 1}]'},
     'can\'t parse labeled price: Field "label" must be of type String'),
    ({"prices": '[{"label": "", "amount": 1}]'},
     "can't parse labeled price: LabeledPrice label must be non-empty"),
    ({"prices": '[{"label": "a", "amount": "x"}]'},
     'can\'t parse labeled price: Field "amount" must be a valid Number'),
    ({"prices": '[{"label": "a", "amount": true}]'},
     'can\'t parse labeled price: Field "amount" must be a valid Number'),
    ({"prices": '[{"label": "a", "amount": 1.5}]'},
     'can\'t parse labeled price: Field "amount" must be a valid Number'),
    ({"prices": '[{"label": "a", "amount": 0}]'}, "total price must be positive"),
    ({"prices": '[{"label": "a", "amount": -5}]'}, "total price must be positive"),
    ({"prices": '[{"label": "a", "amount": 1000000000000}]'}, "too big amount of the currency specified"),
    ({"prices": '[{"label": "a", "amount": 1}, {"label": "b", "amount": 1}]'}, "STARS_INVOICE_INVALID"),
    ({"max_tip_amount": "5"}, "STARS_INVOICE_INVALID"),
    ({"suggested_tip_amounts": "[1]"}, "STARS_INVOICE_INVALID"),
    ({"need_name": "true"}, "STARS_INVOICE_INVALID"),
    ({"need_phone_number": "true"}, "STARS_INVOICE_INVALID"),
    ({"need_email": "true"}, "STARS_INVOICE_INVALID"),
    ({"need_shipping_address": "true"}, "STARS_INVOICE_INVALID"),
    ({"send_phone_number_to_provider": "true"}, "STARS_INVOICE_INVALID"),
    ({"send_email_to_provider": "true"}, "STARS_INVOICE_INVALID"),
    ({"is_flexible": "true"}, "STARS_INVOICE_INVALID"),
]  # fmt: skip


async def call(url: str, method: str, fields: dict[str, Any]) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        answer = await http.post(f"/bot{TOKEN}/{method}", data=fields)
    body: dict[str, Any] = answer.json()
    assert body["ok"] is (answer.status_code == 200)
    return body


class TestWhatIsRefused:
    @pytest.mark.parametrize("method", ["sendInvoice", "createInvoiceLink"])
    async def test_the_refusal_says_why(self, playground: Served, ada: Guest, method: str) -> None:
        for wrong, complaint in REFUSED:
            body = await call(playground.url, method, {"chat_id": ada.user_id, **GOOD, **wrong})
            assert (wrong, body["error_code"]) == (wrong, 400)
            assert (wrong, body["description"]) == (wrong, f"Bad Request: {complaint}")
        assert playground.world.till.invoices == {}
        assert len(await ada.messages()) == 1

    @pytest.mark.parametrize(
        "edge",
        [
            {"title": "a" * 32, "description": "a" * 255, "payload": "é" * 64},
            {
                "provider_token": "",
                "max_tip_amount": "0",
                "suggested_tip_amounts": "[]",
                "need_name": "false",
            },
            {"prices": '[{"label": "a", "amount": "999999999999"}]'},
        ],
    )
    async def test_the_edges_are_taken(self, playground: Served, ada: Guest, edge: dict[str, str]) -> None:
        for method in ("sendInvoice", "createInvoiceLink"):
            body = await call(playground.url, method, {"chat_id": ada.user_id, **GOOD, **edge})
            assert body["ok"], body

    async def test_an_invoice_goes_only_where_a_message_goes(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        async with Guest(playground.url, "Bob") as bob:
            with pytest.raises(TelegramBadRequest, match="chat not found"):
                await send_invoice(bot, bob)
        await ada.block()
        with pytest.raises(TelegramForbiddenError, match="bot was blocked by the user"):
            await send_invoice(bot, ada)
        assert playground.world.till.invoices == {}

    @pytest.mark.parametrize("period_s", [1, 60, PERIOD_S - 1, PERIOD_S + 1])
    async def test_a_subscription_is_by_the_month(self, bot: Bot, period_s: int) -> None:
        with pytest.raises(TelegramBadRequest, match="SUBSCRIPTION_PERIOD_INVALID"):
            await make_link(bot, subscription_period=period_s)

    async def test_a_subscription_costs_at_most_ten_thousand(self, bot: Bot) -> None:
        await make_subscription_link(bot, amount_xtr=10_000)
        with pytest.raises(TelegramBadRequest, match="STARS_INVOICE_INVALID"):
            await make_subscription_link(bot, amount_xtr=10_001)

    async def test_a_subscription_is_no_message(self, playground: Served, ada: Guest) -> None:
        fields = {"chat_id": ada.user_id, **GOOD, "subscription_period": PERIOD_S}
        body = await call(playground.url, "sendInvoice", fields)
        assert body["description"] == "Bad Request: SUBSCRIPTION_PERIOD_INVALID"


class TestMessage:
    async def test_the_bot_and_the_guest_see_the_same_invoice(self, bot: Bot, ada: Guest) -> None:
        sent = await bot.send_invoice(ada.user_id, "A pack", "50 stars", "ord_1", "XTR", prices(50))
        assert sent.invoice is not None
        assert (sent.invoice.title, sent.invoice.total_amount) == ("A pack", 50)
        (seen,) = [message for message in await ada.messages() if message.invoice]
        assert seen.invoice == {
            "title": "A pack",
            "description": "50 stars",
            "start_parameter": "",
            "currency": "XTR",
            "total_amount": 50,
        }
        assert "ord_1" not in json.dumps(seen.raw)

    async def test_without_a_keyboard_it_has_a_pay_button(self, bot: Bot, ada: Guest) -> None:
        invoice = await send_invoice(bot, ada)
        assert invoice.buttons == [{"text": "Pay ⭐️50", "pay": True}]

    async def test_an_own_keyboard_begins_with_the_pay_button(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        rows = [
            [InlineKeyboardButton(text="Pay ⭐ 50", pay=True)],
            [InlineKeyboardButton(text="Not now", callback_data="no")],
        ]
        invoice = await send_invoice(bot, ada, reply_markup=InlineKeyboardMarkup(inline_keyboard=rows))
        assert invoice.labels == ["Pay ⭐ 50", "Not now"]
        assert (await pay(playground, bot, ada, invoice)).status == "paid"

    @pytest.mark.parametrize(
        ("markup", "complaint"),
        [
            ({"inline_keyboard": [[{"text": "a", "callback_data": "a"}]]}, "REPLY_MARKUP_BUY_EMPTY"),
            ({"inline_keyboard": [[{"text": "a", "callback_data": "a"}, {"text": "b", "pay": True}]]},
             "REPLY_MARKUP_BUY_EMPTY"),
            ({"inline_keyboard": [[{"text": "a", "pay": True}, {"text": "b", "pay": True}]]},
             "BUTTON_TYPE_INVALID"),
            ({"keyboard": [["a"]]}, "REPLY_MARKUP_BUY_EMPTY"),
            ({"remove_keyboard": True}, "REPLY_MARKUP_BUY_EMPTY"),
        ],
    )  # fmt: skip
    def test_any_other_keyboard_is_refused(self, markup: dict[str, Any], complaint: str) -> None:
        with pytest.raises(ApiError, match=complaint):
            parse_invoice_markup(json.dumps(markup))

    async def test_an_invoice_answers_a_message(self, bot: Bot, ada: Guest) -> None:
        asked = await ada.say("I want more")
        invoice = await send_invoice(bot, ada, reply_to_message_id=asked.message_id)
        assert invoice.raw["reply_to_message"]["message_id"] == asked.message_id

    async def test_its_keyboard_can_change_but_keeps_the_pay_button(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        invoice = await send_invoice(bot, ada)
        ids: dict[str, Any] = {"chat_id": ada.user_id, "message_id": invoice.message_id}
        with pytest.raises(TelegramBadRequest, match="REPLY_MARKUP_BUY_EMPTY"):
            await bot.edit_message_reply_markup(**ids, reply_markup=keyboard("Again"))
        with pytest.raises(TelegramBadRequest, match="message is not modified"):
            await bot.edit_message_reply_markup(**ids)
        buy = InlineKeyboardMarkup(inline_keyboard=[[InlineKeyboardButton(text="Buy", pay=True)]])
        await bot.edit_message_reply_markup(**ids, reply_markup=buy)
        assert (await ada.messages())[-1].labels == ["Buy"]
        assert (await pay(playground, bot, ada, invoice)).status == "paid"

    async def test_its_text_cannot_change(self, bot: Bot, ada: Guest) -> None:
        invoice = await send_invoice(bot, ada)
        with pytest.raises(TelegramBadRequest, match="there is no text in the message to edit"):
            await bot.edit_message_text("Free", chat_id=ada.user_id, message_id=invoice.message_id)


class TestLink:
    async def test_a_link_shows_what_it_sells(self, playground: Served, bot: Bot, ada: Guest) -> None:
        link = await make_link(bot)
        assert link.startswith("https://t.me/$")
        slug = link.removeprefix("https://t.me/$")
        async with httpx.AsyncClient(base_url=playground.url, trust_env=False) as http:
            shown = {
                "slug": slug,
                "title": "A pack",
                "description": "50 stars for pictures",
                "amount_xtr": 50,
                "period_s": 0,
                "is_paid_before": False,
            }
            assert (await http.get(f"/control/invoices/{slug}")).json() == shown
            await pay(playground, bot, ada, link)
            assert (await http.get(f"/control/invoices/{slug}")).json() == {**shown, "is_paid_before": True}
            assert (await http.get("/control/invoices/nothing")).status_code == 404

    async def test_every_link_is_another(self, bot: Bot) -> None:
        assert len({await make_link(bot) for _ in range(20)}) == 20

    async def test_the_period_of_a_subscription_shows(self, playground: Served, bot: Bot) -> None:
        slug = (await make_subscription_link(bot)).removeprefix("https://t.me/$")
        assert playground.world.till.invoice(slug).period_s == PERIOD_S


class TestForward:
    async def test_a_copy_is_paid_by_who_has_it(self, playground: Served, bot: Bot, ada: Guest) -> None:
        invoice = await send_invoice(bot, ada)
        async with Guest(playground.url, "Bob") as bob:
            copy = await bob.forward(invoice, ada)
            assert copy.invoice == invoice.invoice
            assert copy.raw["forward_origin"]["sender_user"]["id"] == playground.world.bot.user_id
            assert (await pay(playground, bot, bob, copy)).status == "paid"
            assert (await bob.wallet()).xtr == 950
            assert (await pay(playground, bot, ada, invoice)).status == "paid"
            again = await ada.forward(copy, bob)
            assert (await pay(playground, bot, ada, again)).status == "paid"

    async def test_the_bot_is_not_told_of_a_copy(self, playground: Served, bot: Bot, ada: Guest) -> None:
        invoice = await send_invoice(bot, ada)
        await ada.forward(invoice, ada)
        assert len(playground.world.updates) == 0

    async def test_with_a_start_parameter_the_copy_leads_to_the_bot(
        self, playground: Served, bot: Bot, ada: Guest
    ) -> None:
        invoice = await send_invoice(bot, ada, start_parameter="buy-50")
        async with Guest(playground.url, "Bob") as bob:
            copy = await bob.forward(invoice, ada)
            assert copy.buttons == [{"text": "Pay ⭐️50", "url": "https://t.me/starbooth_bot?start=buy-50"}]
            with pytest.raises(httpx.HTTPStatusError, match=r"404.*Pay button"):
                await bob.pay(copy)
        assert (await pay(playground, bot, ada, invoice)).status == "paid"

    async def test_only_invoices_are_copied(self, bot: Bot, ada: Guest) -> None:
        text = (await ada.messages())[0]
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            await ada.forward(text, ada)
        invoice = await send_invoice(bot, ada)
        await ada.delete(invoice)
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            await ada.forward(invoice, ada)


class TestSendingLimits:
    async def test_invoices_count_and_what_puts_nothing_into_a_chat_does_not(self) -> None:
        world = make_world(has_limits=True)
        chat = next(iter(world.chats.values()))
        chat.has_started = True
        fields = {"chat_id": str(chat.chat_id), **GOOD}
        api = BotApi(world)
        for _ in range(5):
            await api.call("sendinvoice", Params(fields))
        with pytest.raises(ApiError, match="Too Many Requests"):
            await api.call("sendinvoice", Params(fields))
        for method in ("refundstarpayment", "edituserstarsubscription"):
            names = {"user_id": str(chat.chat_id), "telegram_payment_charge_id": "stx_unknown"}
            with pytest.raises(ApiError, match="CHARGE_NOT_FOUND"):
                await api.call(method, Params(names))
        assert (await api.call("createinvoicelink", Params(GOOD))).startswith("https://t.me/$")
        world.close()


class TestBounds:
    def test_the_oldest_invoices_are_forgotten(self) -> None:
        world = make_world()
        for number in range(MAX_INVOICES + 3):
            world.till.keep_invoice(Invoice(str(number), "a", "b", "c", 1))
        assert len(world.till.invoices) == MAX_INVOICES
        assert next(iter(world.till.invoices)) == "3"
        world.close()

    def test_a_message_that_goes_takes_its_place_with_it(self) -> None:
        world = make_world(max_messages=1)
        chat = next(iter(world.chats.values()))
        invoice = Invoice("slug", "a", "b", "c", 1)
        world.till.keep_invoice(invoice)
        for _ in range(3):
            message = world.post(chat, {"invoice": {}})
            world.till.put_into_message(invoice, message["message_id"])
        assert list(world.till._slugs) == [message["message_id"]]
        world.delete(chat, message["message_id"])
        assert world.till._slugs == {}
        world.close()
