"""The bot's Stars: rows of every kind read as they come, refunds and their errors, the balance."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from aiogram import Bot
from aiogram.types import LabeledPrice

from starbooth.outside.telegram.errors import (
    AlreadyRefunded,
    ChargeUnknown,
    TelegramRefused,
    TelegramUnavailable,
)
from starbooth.outside.telegram.star_rows import Direction, StarBalance, parse_balance, parse_row
from starbooth.outside.telegram.stars import TelegramStars
from tests.outside.scripted import Reply, ScriptedServer

ADA = {"id": 7, "is_bot": False, "first_name": "Ada"}
PAID = {
    "id": "stx_Ab12",
    "amount": 50,
    "date": 1_764_000_000,
    "source": {
        "type": "user",
        "transaction_type": "invoice_payment",
        "user": ADA,
        "invoice_payload": "ord_3f9a",
        "subscription_period": 2_592_000,
    },
}


def refusal(description: str) -> Reply:
    return Reply(
        status=400, body=json.dumps({"ok": False, "error_code": 400, "description": description}).encode()
    )


class TestParseRow:
    def test_a_payment_by_invoice(self) -> None:
        row = parse_row(PAID)
        assert (row.id, row.direction, row.amount_xtr, row.nanos) == ("stx_Ab12", Direction.IN, 50, 0)
        assert row.at == datetime(2025, 11, 24, 16, 0, tzinfo=UTC)
        assert (row.telegram_id, row.payload, row.period_s) == (7, "ord_3f9a", 2_592_000)
        assert row.is_invoice
        assert row.body == PAID

    def test_a_refund_is_the_same_row_the_other_way(self) -> None:
        row = parse_row({"id": "x", "amount": 50, "date": 1, "receiver": PAID["source"]})
        assert row.direction is Direction.OUT
        assert row.is_invoice

    @pytest.mark.parametrize(
        "partner",
        [
            {"type": "fragment", "withdrawal_state": {"type": "pending"}},
            {"type": "telegram_ads"},
            {"type": "telegram_api", "request_count": 3},
            {"type": "a_kind_of_next_year", "user": ["not", "an", "object"], "transaction_type": 5},
            {"type": "user", "transaction_type": "gift_purchase", "user": ADA},
            {"type": "user", "transaction_type": "invoice_payment"},
            {},
        ],
    )
    @pytest.mark.parametrize("side", ["source", "receiver"])
    def test_any_partner_is_read_and_is_no_payment_of_ours(self, partner: dict[str, Any], side: str) -> None:
        row = parse_row({"id": "x", "amount": 5, "nanostar_amount": 999, "date": 1, side: partner})
        assert row.partner == partner.get("type", "unknown")
        assert row.nanos == 999
        assert not row.is_invoice

    def test_names_lose_what_a_database_cannot_keep(self) -> None:
        source = {**PAID["source"], "user": {**ADA, "first_name": "A\0da\ud800"}}  # type: ignore[dict-item]
        row = parse_row({**PAID, "source": source})
        assert row.body["source"]["user"]["first_name"] == "Ada?"

    @pytest.mark.parametrize(
        "raw",
        [
            None,
            [],
            {},
            {"id": 5, "amount": 1, "date": 1},
            {"id": "x", "amount": True, "date": 1},
            {"id": "x", "amount": "5", "date": 1},
            {"id": "x", "amount": 5, "date": 10**18},
        ],
    )
    def test_what_is_no_row_is_an_answer_that_cannot_be_used(self, raw: object) -> None:
        with pytest.raises(TelegramUnavailable):
            parse_row(raw)


class TestParseBalance:
    def test_it_may_be_below_zero_and_have_fractions(self) -> None:
        balance = parse_balance({"amount": -3, "nanostar_amount": -500_000_000})
        assert balance == StarBalance(amount_xtr=-3, nanos=-500_000_000)
        assert balance.total_nanos == -3_500_000_000

    @pytest.mark.parametrize("raw", [None, {}, {"amount": None}, {"amount": "3"}])
    def test_what_is_none_is_an_answer_that_cannot_be_used(self, raw: object) -> None:
        with pytest.raises(TelegramUnavailable):
            parse_balance(raw)


class TestErrors:
    @pytest.mark.parametrize(
        ("description", "named"),
        [
            ("Bad Request: CHARGE_ALREADY_REFUNDED", AlreadyRefunded),
            ("Bad Request: CHARGE_NOT_FOUND", ChargeUnknown),
            ("Bad Request: CHARGE_ID_EMPTY", TelegramRefused),
            ("Bad Request: USER_ID_INVALID", TelegramRefused),
        ],
    )
    async def test_each_refusal_of_a_refund_has_a_name(
        self, scripted: ScriptedServer, scripted_bot: Bot, description: str, named: type[Exception]
    ) -> None:
        scripted.will_answer(refusal(description))
        with pytest.raises(named) as raised:
            await TelegramStars(scripted_bot).refund(telegram_id=7, charge_id="x")
        assert type(raised.value) is named

    @pytest.mark.parametrize("result", [False, None])
    async def test_an_answer_that_is_not_true_settles_nothing(
        self, scripted: ScriptedServer, scripted_bot: Bot, result: object
    ) -> None:
        scripted.will_say({"ok": True, "result": result})
        with pytest.raises(TelegramUnavailable):
            await TelegramStars(scripted_bot).refund(telegram_id=7, charge_id="x")

    @pytest.mark.parametrize("result", [{}, {"transactions": None}, {"transactions": [7]}])
    async def test_a_list_that_is_none_cannot_be_used(
        self, scripted: ScriptedServer, scripted_bot: Bot, result: object
    ) -> None:
        scripted.will_say({"ok": True, "result": result})
        with pytest.raises(TelegramUnavailable):
            await TelegramStars(scripted_bot).list_transactions(offset=0, limit=100)

    async def test_an_unknown_partner_on_the_wire_does_not_stop_the_list(
        self, scripted: ScriptedServer, scripted_bot: Bot
    ) -> None:
        strange = {"id": "s", "amount": 1, "date": 1, "source": {"type": "moon_base", "crew": [1, 2]}}
        scripted.will_say({"ok": True, "result": {"transactions": [strange, PAID]}})
        rows = await TelegramStars(scripted_bot).list_transactions(offset=0, limit=100)
        assert [(row.id, row.partner) for row in rows] == [("s", "moon_base"), ("stx_Ab12", "user")]
        assert rows[0].body == strange


class TestInThePlayground:
    async def test_a_payment_is_listed_refunded_once_and_listed_again(
        self, bot: Bot, control: httpx.AsyncClient, chat_id: int
    ) -> None:
        stars = TelegramStars(bot)
        earlier, before = len(await stars.list_transactions(offset=0, limit=100)), await stars.balance()
        link = await bot.create_invoice_link(
            title="Stars",
            description="50",
            payload="p1",
            currency="XTR",
            prices=[LabeledPrice(label="x", amount=50)],
        )
        fault = {"kind": "unasked_payment", "method": "pre_checkout_query"}
        (await control.post("/faults", json=fault)).raise_for_status()
        slug = link.removeprefix("https://t.me/$")
        paid = (await control.post(f"/users/{chat_id}/pay", json={"slug": slug})).raise_for_status().json()
        assert paid["status"] == "paid"
        (row,) = await stars.list_transactions(offset=earlier, limit=100)
        assert (row.id, row.amount_xtr, row.telegram_id, row.payload) == (
            paid["charge_id"],
            50,
            chat_id,
            "p1",
        )
        assert (await stars.balance()).amount_xtr == before.amount_xtr + 50
        with pytest.raises(ChargeUnknown):
            await stars.refund(telegram_id=chat_id, charge_id="stx_other")
        await stars.refund(telegram_id=chat_id, charge_id=row.id)
        with pytest.raises(AlreadyRefunded):
            await stars.refund(telegram_id=chat_id, charge_id=row.id)
        (back,) = await stars.list_transactions(offset=earlier + 1, limit=100)
        assert (back.id, back.direction) == (row.id, Direction.OUT)
        assert await stars.balance() == before
