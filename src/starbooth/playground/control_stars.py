"""The control API of money: what a guest does with a wallet, and what others do with the bot's Stars."""

import asyncio
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from starbooth.playground import invoices, payments, subscriptions
from starbooth.playground.control import TheChat, TheWorld
from starbooth.playground.errors import GuestError, Json
from starbooth.playground.star_ledger import Charge
from starbooth.playground.till import MAX_XTR, Outcome
from starbooth.playground.world import World

router = APIRouter(prefix="/control")


class WalletChange(BaseModel):
    add_xtr: Annotated[int, Field(ge=-MAX_XTR, le=MAX_XTR)]


class NewPayment(BaseModel):
    """Either the message with the Pay button or the slug of a link. wait: until it is paid or has failed."""

    message_id: int | None = None
    slug: str | None = None
    wait: bool = True


class Forwarding(BaseModel):
    from_user: int
    message_id: int


class OneCharge(BaseModel):
    charge_id: str


@router.get("/users/{user_id}/wallet")
async def read_wallet(world: TheWorld, chat: TheChat) -> Json:
    return world.till.wallet(chat.chat_id)


@router.post("/users/{user_id}/wallet")
async def change_wallet(world: TheWorld, chat: TheChat, change: WalletChange) -> Json:
    world.till.move_xtr(chat.chat_id, change.add_xtr)
    world.commit()
    return world.till.wallet(chat.chat_id)


@router.get("/invoices/{slug}")
async def read_invoice(world: TheWorld, slug: str) -> Json:
    invoice = world.till.invoice(slug)
    names = ("slug", "title", "description", "amount_xtr", "period_s")
    shown = {name: getattr(invoice, name) for name in names}
    return {**shown, "is_paid_before": invoice.times_paid > 0}


@router.post("/users/{user_id}/pay")
async def pay(world: TheWorld, chat: TheChat, new: NewPayment) -> Json:
    """Confirm a payment. Without `wait` the answer is `pending` while the bot is asked."""
    if (new.message_id is None) == (new.slug is None):
        raise GuestError(400, "name the invoice by either message_id or slug")
    if new.message_id is not None:
        invoice = invoices.invoice_in(world, chat, new.message_id)
    else:
        invoice = world.till.invoice(new.slug or "")
    begun = payments.open_checkout(world, chat, invoice)
    world.commit()
    if isinstance(begun, Outcome):
        return asdict(begun)
    waiting = asyncio.create_task(payments.wait_for_answer(world, begun))
    if new.wait:
        return asdict(await waiting)
    world.till.tasks.add(waiting)
    waiting.add_done_callback(world.till.tasks.discard)
    return asdict(Outcome("pending"))


@router.post("/users/{user_id}/forward", status_code=201)
async def forward(world: TheWorld, chat: TheChat, wanted: Forwarding) -> Json:
    copy = invoices.forward(world, world.guest(wanted.from_user), wanted.message_id, chat)
    world.commit()
    return copy


@router.post("/users/{user_id}/subscriptions/{charge_id}/next-month")
async def pass_month(world: TheWorld, chat: TheChat, charge_id: str) -> Json:
    """Let this subscription's time pass to its renewal."""
    outcome = subscriptions.pass_month(world, chat, subscriptions.find(world, chat, charge_id))
    world.commit()
    return asdict(outcome)


@router.post("/users/{user_id}/subscriptions/{charge_id}/cancel")
async def cancel_subscription(world: TheWorld, chat: TheChat, charge_id: str) -> Json:
    subscriptions.cancel(world, chat, subscriptions.find(world, chat, charge_id))
    world.commit()
    return world.till.wallet(chat.chat_id)


@router.post("/users/{user_id}/subscriptions/{charge_id}/enable")
async def enable_subscription(world: TheWorld, chat: TheChat, charge_id: str) -> Json:
    subscriptions.enable(world, chat, subscriptions.find(world, chat, charge_id))
    world.commit()
    return world.till.wallet(chat.chat_id)


@router.get("/stars")
async def read_stars(world: TheWorld) -> Json:
    """The bot's balance and all its transactions, newest last."""
    ledger = world.till.ledger
    return {"balance_xtr": ledger.balance_xtr, "transactions": ledger.rows()}


@router.post("/stars/chargeback")
async def charge_back(world: TheWorld, wanted: OneCharge) -> Json:
    """A store takes its money back, and Telegram the Stars; the bot is not told."""
    payments.give_back(world, _kept(world, wanted.charge_id), is_told=False)
    world.commit()
    return {"balance_xtr": world.till.ledger.balance_xtr}


@router.post("/stars/refund")
async def refund(world: TheWorld, wanted: OneCharge) -> Json:
    """Telegram's support refunds a payment without the bot, which is told."""
    payments.give_back(world, _kept(world, wanted.charge_id), is_told=True)
    world.commit()
    return {"balance_xtr": world.till.ledger.balance_xtr}


def _kept(world: World, charge_id: str) -> Charge:
    charge = world.till.ledger.find(charge_id)
    if charge is None:
        raise GuestError(404, "there is no such payment")
    if charge.is_given_back:
        raise GuestError(409, "this payment has gone back already")
    return charge
