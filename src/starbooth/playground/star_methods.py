"""Bot API methods of the bot's Stars: the answer to a checkout, refunds, transactions, balance,
subscriptions.
"""

from starbooth.playground import payments, subscriptions
from starbooth.playground.errors import Json, bad_request
from starbooth.playground.faults import FaultKind
from starbooth.playground.invoices import required
from starbooth.playground.params import Params
from starbooth.playground.world import World


def answer_pre_checkout_query(world: World, params: Params) -> bool:
    refusal = "" if params.boolean("ok") else required(params, "error_message")
    if not payments.answer_checkout(world, params.text("pre_checkout_query_id"), refusal=refusal):
        raise bad_request("query is too old and response timeout expired or query ID is invalid")
    return True


def refund_star_payment(world: World, params: Params) -> bool:
    """Gives the whole payment back; under the fault `already_refunded` it does so and says it had before."""
    user_id = _user_id(params)
    charge_id = params.text("telegram_payment_charge_id")
    if not charge_id:
        raise bad_request("CHARGE_ID_EMPTY")
    if user_id not in world.chats:
        raise bad_request("USER_ID_INVALID")
    charge = world.till.ledger.find(charge_id)
    if charge is None or charge.user_id != user_id:
        raise bad_request("CHARGE_NOT_FOUND")
    if charge.is_given_back:
        raise bad_request("CHARGE_ALREADY_REFUNDED")
    payments.give_back(world, charge, is_told=True)
    if world.faults.pick(FaultKind.ALREADY_REFUNDED, ("refundstarpayment", "refunded_payment"), user_id):
        raise bad_request("CHARGE_ALREADY_REFUNDED")
    return True


def get_star_transactions(world: World, params: Params) -> Json:
    offset = params.integer("offset", low=0)
    limit = params.integer("limit", 100, low=1, high=100)
    return {"transactions": world.till.ledger.rows(offset=offset, limit=limit)}


def get_my_star_balance(world: World, params: Params) -> Json:  # noqa: ARG001 - the signature of all methods
    return {"amount": world.till.ledger.balance_xtr}


def edit_user_star_subscription(world: World, params: Params) -> bool:
    user_id = _user_id(params)
    charge_id = params.text("telegram_payment_charge_id")
    if not charge_id:
        raise bad_request("CHARGE_ID_EMPTY")
    if user_id not in world.chats:
        raise bad_request("USER_ID_INVALID")
    subscription = world.till.subscriptions.get(charge_id)
    if subscription is None or subscription.user_id != user_id:
        raise bad_request("CHARGE_NOT_FOUND")
    subscriptions.edit_by_bot(world, subscription, is_canceled=params.boolean("is_canceled"))
    return True


def _user_id(params: Params) -> int:
    user_id = params.integer("user_id", low=0)
    if user_id == 0:
        raise bad_request("invalid user_id specified")
    return user_id
