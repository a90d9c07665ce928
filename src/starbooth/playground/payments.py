"""How a payment goes: the guest confirms, the bot is asked, the Stars move, the bot is told; and the
way back.

Each of these steps is a place where a fault can strike. The Bot API's own methods are in `star_methods`.
"""

import asyncio
import secrets

from starbooth.playground.chats import Chat
from starbooth.playground.errors import GuestError, Json
from starbooth.playground.faults import FaultKind
from starbooth.playground.star_ledger import Charge
from starbooth.playground.till import Checkout, Invoice, Outcome, Subscription
from starbooth.playground.world import World

CURRENCY = "XTR"
TOO_FEW_STARS = "You have too few Stars."
NO_ANSWER = "The bot did not answer in time."
_FAULT_NAMES = ("pre_checkout_query", "answerprecheckoutquery", "successful_payment", "message")


def open_checkout(world: World, chat: Chat, invoice: Invoice) -> Checkout | Outcome:
    """A guest confirms a payment: ask the bot, or give the Outcome where that needs no asking. Repeating it
    pays again. Raises: GuestError 409 while the guest blocks the bot.
    """
    if chat.is_blocked:
        raise GuestError(409, "the bot is blocked")
    world.till.ledger.check_has_room()
    if world.till.xtr(chat.chat_id) < invoice.amount_xtr:
        return Outcome("failed", TOO_FEW_STARS)
    if world.faults.pick(FaultKind.UNASKED_PAYMENT, _FAULT_NAMES, chat.chat_id):
        return charge(world, chat, invoice)
    checkout = Checkout(
        query_id=str(secrets.randbits(62)),
        user_id=chat.chat_id,
        invoice=invoice,
        is_expired=world.faults.pick(FaultKind.EXPIRED_CHECKOUT, _FAULT_NAMES, chat.chat_id) is not None,
        outcome=asyncio.get_running_loop().create_future(),
    )
    world.till.checkouts[checkout.query_id] = checkout
    query = {
        "id": checkout.query_id,
        "from": chat.user,
        "currency": CURRENCY,
        "total_amount": invoice.amount_xtr,
        "invoice_payload": invoice.payload,
    }
    world.send_update("pre_checkout_query", query, chat_id=chat.chat_id)
    return checkout


async def wait_for_answer(world: World, checkout: Checkout) -> Outcome:
    """How the checkout ended; after `world.checkout_s` without an answer it has failed."""
    try:
        return await asyncio.wait_for(checkout.outcome, world.checkout_s)
    except TimeoutError:
        return Outcome("failed", NO_ANSWER)
    finally:
        world.till.checkouts.pop(checkout.query_id, None)


def answer_checkout(world: World, query_id: str, *, refusal: str) -> bool:
    """The bot's answer; an empty `refusal` lets the payment go through at once.

    False when the checkout is unknown, answered, too old, or under the fault that makes any answer too late.
    """
    checkout = world.till.checkouts.pop(query_id, None)
    if checkout is None or checkout.outcome.done():
        return False
    if checkout.is_expired:
        checkout.outcome.set_result(Outcome("failed", NO_ANSWER))
        return False
    if refusal:
        checkout.outcome.set_result(Outcome("failed", refusal))
    else:
        checkout.outcome.set_result(charge(world, world.chats[checkout.user_id], checkout.invoice))
    return True


def charge(world: World, chat: Chat, invoice: Invoice) -> Outcome:
    """Move the Stars from the guest to the bot and tell it; twice under the fault `double_payment`, if the
    wallet holds that much.
    """
    xtr = world.till.xtr(chat.chat_id)
    if xtr < invoice.amount_xtr:
        return Outcome("failed", TOO_FEW_STARS)
    is_double = xtr >= 2 * invoice.amount_xtr and world.faults.pick(
        FaultKind.DOUBLE_PAYMENT, _FAULT_NAMES, chat.chat_id
    )
    charge_ids = [_charge_once(world, chat, invoice) for _ in range(2 if is_double else 1)]
    return Outcome("paid", charge_id=charge_ids[0])


def renew(world: World, chat: Chat, subscription: Subscription) -> str:
    """Charge the next period of a subscription, for which the wallet holds enough; returns its charge id."""
    subscription.expires_at += subscription.period_s
    subscription.is_failed = False
    world.till.keep_subscription(subscription)
    return _move_stars(world, chat, subscription, _new_charge_id(), _recurring(subscription))


def give_back(world: World, charge: Charge, *, is_told: bool) -> None:
    """Return a payment that has not gone back yet, from the bot to the guest. is_told: by a message in the
    chat, which is an update for the bot too; a chargeback tells it nothing.
    """
    world.till.ledger.give_back(charge.charge_id, at=int(world.now()))
    world.till.move_xtr(charge.user_id, charge.amount_xtr)
    if is_told:
        refunded = {
            "currency": CURRENCY,
            "total_amount": charge.amount_xtr,
            "invoice_payload": charge.payload,
            "telegram_payment_charge_id": charge.charge_id,
        }
        _tell(world, world.chats[charge.user_id], {"refunded_payment": refunded})


def _charge_once(world: World, chat: Chat, invoice: Invoice) -> str:
    charge_id = _new_charge_id()
    invoice.times_paid += 1
    world.till.keep_invoice(invoice)
    if not invoice.period_s:
        return _move_stars(world, chat, invoice, charge_id, {})
    subscription = Subscription(
        charge_id=charge_id,
        user_id=chat.chat_id,
        payload=invoice.payload,
        title=invoice.title,
        amount_xtr=invoice.amount_xtr,
        period_s=invoice.period_s,
        expires_at=int(world.now()) + invoice.period_s,
    )
    world.till.keep_subscription(subscription)
    first = {"is_first_recurring": True}
    return _move_stars(world, chat, invoice, charge_id, _recurring(subscription) | first)


def _recurring(subscription: Subscription) -> Json:
    return {"is_recurring": True, "subscription_expiration_date": subscription.expires_at}


def _move_stars(
    world: World, chat: Chat, sold: Invoice | Subscription, charge_id: str, recurring: Json
) -> str:
    """One payment: out of the wallet, into the ledger, and told by a `successful_payment`."""
    world.till.move_xtr(chat.chat_id, -sold.amount_xtr)
    world.till.ledger.receive(
        charge_id,
        chat.user,
        amount_xtr=sold.amount_xtr,
        payload=sold.payload,
        period_s=sold.period_s,
        at=int(world.now()),
    )
    receipt = {
        "currency": CURRENCY,
        "total_amount": sold.amount_xtr,
        "invoice_payload": sold.payload,
        "telegram_payment_charge_id": charge_id,
        "provider_payment_charge_id": f"{chat.chat_id}_{len(world.till.ledger)}",
    }
    _tell(world, chat, {"successful_payment": receipt | recurring})
    return charge_id


def _tell(world: World, chat: Chat, content: Json) -> None:
    """Put a service message into the chat, which thereby begins if it had not, and send it to the bot."""
    if not chat.has_started:
        chat.has_started = True
        world.chat_changed(chat)
    message = world.post(chat, content, sender=chat.user)
    world.send_update("message", message, chat_id=chat.chat_id, message_id=message["message_id"])


def _new_charge_id() -> str:
    """Of the length and alphabet of real ones."""
    return "stx" + secrets.token_urlsafe(48)
