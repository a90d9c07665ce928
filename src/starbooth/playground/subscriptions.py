"""What happens to a subscription after its first payment: it is renewed, canceled, taken up again, or it
ends.

The bot hears of it by the update `subscription`, of a renewal by a further `successful_payment`.
"""

from starbooth.playground import payments
from starbooth.playground.chats import Chat
from starbooth.playground.errors import GuestError
from starbooth.playground.till import Outcome, Subscription
from starbooth.playground.world import World


def find(world: World, chat: Chat, charge_id: str) -> Subscription:
    """A guest's subscription by the charge id of its first payment. Raises: GuestError 404."""
    subscription = world.till.subscriptions.get(charge_id)
    if subscription is None or subscription.user_id != chat.chat_id:
        raise GuestError(404, "this guest has no such subscription")
    return subscription


def pass_month(world: World, chat: Chat, subscription: Subscription) -> Outcome:
    """Time reaches the end of the paid period: a canceled subscription ends, any other is charged again.

    With too few Stars the renewal fails and the subscription stays; the next call tries again. Only this
    subscription's time passes. Raises: GuestError 409 when no further payments can be kept.
    """
    if subscription.is_canceled:
        world.till.end_subscription(subscription)
        return Outcome("cancelled", "The subscription was canceled and has ended.")
    world.till.ledger.check_has_room()
    if world.till.xtr(chat.chat_id) < subscription.amount_xtr:
        subscription.is_failed = True
        world.till.keep_subscription(subscription)
        _tell(world, chat, subscription, "failed")
        return Outcome("failed", payments.TOO_FEW_STARS)
    return Outcome("paid", charge_id=payments.renew(world, chat, subscription))


def cancel(world: World, chat: Chat, subscription: Subscription) -> None:
    """The guest wants no renewal; a repeat changes nothing."""
    if not subscription.is_canceled:
        subscription.is_canceled = True
        world.till.keep_subscription(subscription)
        _tell(world, chat, subscription, "canceled")


def enable(world: World, chat: Chat, subscription: Subscription) -> None:
    """The guest wants renewals after all; a repeat changes nothing. Raises: GuestError 409 when the
    bot canceled it.
    """
    if subscription.is_canceled_by_bot:
        raise GuestError(409, "the bot has canceled this subscription")
    if subscription.is_canceled:
        subscription.is_canceled = False
        world.till.keep_subscription(subscription)
        _tell(world, chat, subscription, "active")


def edit_by_bot(world: World, subscription: Subscription, *, is_canceled: bool) -> None:
    """The bot cancels, or lets the guest enable again what it had canceled; no update tells it of its own
    act.
    """
    subscription.is_canceled_by_bot = is_canceled
    subscription.is_canceled = subscription.is_canceled or is_canceled
    world.till.keep_subscription(subscription)


def _tell(world: World, chat: Chat, subscription: Subscription, state: str) -> None:
    payload = {"user": chat.user, "invoice_payload": subscription.payload, "state": state}
    world.send_update("subscription", payload, chat_id=chat.chat_id)
