"""What operators read in the chat: payments, refunds, grants, refusals. Pure: facts in, screen out."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from babel.dates import format_datetime
from markupsafe import Markup

from starbooth.base.errors import Refusal
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.payments.read import PaymentState, PaymentView, Summary
from starbooth.domain.payments.refunds import TELEGRAM
from starbooth.domain.stars.errors import AmountRefused, NotEnoughStars
from starbooth.domain.stars.ledger import LARGEST_AMOUNT
from starbooth.domain.users.errors import NoSuchGuest
from starbooth.doors.bot.pieces import shorten, stars
from starbooth.doors.bot.words import Words

PREFIX = "op:"
_LONGEST_REASON = 300
_FORM = re.compile(r"op:(?:(look):(c[a-z0-9]{24})|(refund|force|leave):([0-9]{1,18}))")


class Wish(StrEnum):
    """What an operator's button asks for."""

    LOOK = "look"
    REFUND = "refund"
    FORCE = "force"
    LEAVE = "leave"


@dataclass(frozen=True, kw_only=True)
class Deed:
    """One press: `subject` is the payment's ledger row for `look`, else the number in the operators' log."""

    wish: Wish
    subject: str

    def __str__(self) -> str:
        return f"{PREFIX}{self.wish}:{self.subject}"


def parse_deed(text: str | None) -> Deed | None:
    """Read what came back from an operator's button; None for anything that none of them says."""
    found = _FORM.fullmatch(text or "")
    if found is None:
        return None
    wish, subject = (found[1], found[2]) if found[1] else (found[3], found[4])
    return Deed(wish=Wish(wish), subject=subject)


def look_button(words: Words, transaction_id: str) -> Button:
    """Shows a payment, with what a refund of it would mean."""
    return Button(label=words.plain("Look"), action=str(Deed(wish=Wish.LOOK, subject=transaction_id)))


def signed(words: Words, n: int) -> Markup:
    """So many stars, also below zero: the noun bends by the number without its sign."""
    return Markup("−{}").format(stars(words, -n)) if n < 0 else stars(words, n)


def moment(words: Words, at: datetime) -> str:
    """Day and time in UTC, as this language writes them."""
    return f"{format_datetime(at, 'medium', locale=words.language.value)} UTC"


def person(view: PaymentView) -> str:
    """Who paid."""
    return f"@{view.username}" if view.username else str(view.telegram_id)


def render_summary(words: Words, summary: Summary, *, reason: str, number: int | None) -> Screen:
    """A payment, what was done with its stars, and the buttons. number: of the entry that holds the reason;
    None where it is only looked at, without buttons.
    """
    payment = summary.payment
    lines = [
        words.say(
            "<b>{xtr} XTR</b> for {stars}, paid {at} by {who}.",
            xtr=payment.amount_xtr,
            stars=stars(words, payment.amount_stars),
            at=moment(words, payment.paid_at),
            who=person(payment),
        ),
        Markup("<code>{}</code>").format(payment.charge_id),
        *([word_flag(words, payment.flag)] if payment.flag else []),
        words.say(
            "Since then: orders {orders}, pictures {pictures}, spent {spent}. Balance: {balance}.",
            orders=summary.orders,
            pictures=summary.pictures,
            spent=stars(words, summary.spent_stars),
            balance=signed(words, summary.balance_stars),
        ),
    ]
    if payment.state is not PaymentState.PAID:
        lines.append(_refund_line(words, payment))
        return _screen(*lines)
    if summary.short_stars:
        lines.append(
            words.say(
                "The stars are not all there: {short} short. After a refund the balance would be {after}, and"
                " the guest could spend nothing until it is made good.",
                short=stars(words, summary.short_stars),
                after=signed(words, summary.balance_after_stars),
            )
        )
    if number is None:
        return _screen(*lines)
    lines.append(
        words.say("The guest will read: {reason}", reason=shorten(reason, limit=_LONGEST_REASON))
        if reason
        else words.say("No reason given: write one behind the charge id if the guest should read it.")
    )
    return Screen(html=_join(*lines), rows=_refund_buttons(words, summary, number))


def _refund_buttons(words: Words, summary: Summary, number: int) -> tuple[tuple[Button, ...], ...]:
    if summary.short_stars:
        label = words.plain("Refund anyway ({short} short)", short=summary.short_stars)
        refund = Button(label=label, action=str(Deed(wish=Wish.FORCE, subject=str(number))))
    else:
        refund = Button(label=words.plain("Refund"), action=str(Deed(wish=Wish.REFUND, subject=str(number))))
    leave = Button(label=words.plain("Leave it"), action=str(Deed(wish=Wish.LEAVE, subject=str(number))))
    return ((refund,), (leave,))


def _refund_line(words: Words, payment: PaymentView) -> Markup:
    if payment.state is PaymentState.REFUNDING:
        return words.say(
            "A refund is under way, asked for by {operator}. The stars are set aside.",
            operator=payment.operator or "",
        )
    at = moment(words, payment.refunded_at) if payment.refunded_at else ""
    if payment.operator == TELEGRAM:
        return words.say("It went back on {at}: Telegram did it, nobody of us asked.", at=at)
    return words.say("It went back on {at}, asked for by {operator}.", at=at, operator=payment.operator or "")


def render_refunded(words: Words, payment: PaymentView) -> Screen:
    """How a refund stands once Telegram was asked."""
    what = words.say(
        "<b>{xtr} XTR</b> of {who}, {stars}.",
        xtr=payment.amount_xtr,
        who=person(payment),
        stars=stars(words, payment.amount_stars),
    )
    match payment.state:
        case PaymentState.REFUNDED:
            said = words.say("✅ Refunded: the money is back with the guest.")
        case PaymentState.REFUNDING:
            said = words.say(
                "⏱ Telegram has not answered for sure. The stars are set aside, and I keep asking."
            )
        case PaymentState.PAID:
            said = words.say("❌ Telegram refused. The stars are back with the guest; see the alert.")
    return _screen(said, what, Markup("<code>{}</code>").format(payment.charge_id))


def render_left(words: Words, charge_id: str) -> Screen:
    """The operator left the payment as it is."""
    return _screen(words.say("Left as it is."), Markup("<code>{}</code>").format(charge_id))


def word_first(words: Words, *, operator: str, at: datetime) -> str:
    """To the second operator who presses: who was first."""
    return words.plain(
        "{operator} was first, on {at}. It is refunded once.", operator=operator, at=moment(words, at)
    )


def render_granted(words: Words, *, who: str, amount_stars: int, balance_stars: int) -> Screen:
    """Stars were given, or taken."""
    return _screen(
        words.say(
            "{who}: {amount}. Balance: {balance}.",
            who=who,
            amount=Markup("+{}").format(stars(words, amount_stars))
            if amount_stars > 0
            else signed(words, amount_stars),
            balance=signed(words, balance_stars),
        )
    )


def render_usage(words: Words, command: str) -> Screen:
    """How a command is written."""
    match command:
        case "grant":
            example = "/grant @ada 25 sorry for the wait"
        case "refund":
            example = "/refund stx_Ab12 it did not work out"
        case _:
            example = f"/{command}"
    return _screen(
        words.say("Write it like this: {example}", example=Markup("<code>{}</code>").format(example))
    )


def render_bad_amount(words: Words, text: str) -> Screen:
    """What was typed is no amount."""
    return _screen(
        words.say(
            "{text} is no amount: give a whole number from 1 to {largest}, or one below zero to take stars."
            " Nothing was moved.",
            text=Markup("<code>{}</code>").format(text[:40]),
            largest=LARGEST_AMOUNT,
        )
    )


def word_operator_refusal(words: Words, refusal: Refusal) -> Markup:
    """An expected no, for an operator."""
    match refusal:
        case NoSuchGuest():
            return words.say(
                "Nobody is known as {who}. Give an id, a Telegram id, or a @name.", who=refusal.who[:64]
            )
        case AmountRefused():
            return words.say(
                "{amount} cannot be moved: give 1 to {largest}, or below zero.",
                amount=refusal.amount,
                largest=LARGEST_AMOUNT,
            )
        case NotEnoughStars():
            return words.say(
                "They have {balance}: no more than that can be taken.",
                balance=signed(words, refusal.balance_stars),
            )
    match refusal.code:
        case "reason_missing":
            return words.say("Say why: the reason stays in the ledger.")
        case "too_many_stars":
            return words.say("The balance would be larger than it can be.")
        case "no_such_purchase":
            return words.say("No payment with this charge id is known here.")
        case "month_not_refundable":
            return words.say(
                "Telegram knows this month of a plan only by the payment that began it, so it cannot give"
                " this month back alone."
            )
        case _:
            return words.say("That is not possible: {code}.", code=refusal.code)


def word_flag(words: Words, flag: str) -> Markup:
    """Why a payment should be looked at."""
    match flag:
        case "unknown_purchase":
            return words.say("⚠️ It fits no invoice of ours; it was credited by its amount.")
        case "late":
            return words.say("⚠️ It came after the invoice had ended.")
        case "second_payment":
            return words.say("⚠️ The invoice had been paid before.")
        case "other_payer":
            return words.say("⚠️ The invoice was somebody else's.")
        case "other_amount":
            return words.say("⚠️ The amount is not the invoice's.")
        case _:
            return words.say("⚠️ Flagged: {flag}.", flag=flag)


def render_payments(words: Words, payments: Sequence[PaymentView]) -> Screen:
    """The newest payments, each with a button to look at it."""
    if not payments:
        return _screen(words.say("There is no payment yet."))
    lines = [
        Markup("{} · {} · <b>{} XTR</b> · {}{}{}").format(
            number,
            person(each),
            each.amount_xtr,
            moment(words, each.paid_at),
            " · ⚠️" if each.flag else "",
            Markup(" · {}").format(_state(words, each.state)) if each.state is not PaymentState.PAID else "",
        )
        for number, each in enumerate(payments, 1)
    ]
    buttons = tuple(
        Button(label=str(number), action=str(Deed(wish=Wish.LOOK, subject=each.transaction_id)))
        for number, each in enumerate(payments, 1)
    )
    rows = tuple(buttons[start : start + 5] for start in range(0, len(buttons), 5))
    return Screen(html=_join(words.say("<b>Payments</b>"), Markup("\n").join(lines)), rows=rows)


def _state(words: Words, state: PaymentState) -> Markup:
    match state:
        case PaymentState.PAID:
            return words.say("paid")
        case PaymentState.REFUNDING:
            return words.say("refund under way")
        case PaymentState.REFUNDED:
            return words.say("refunded")


def _screen(*paragraphs: Markup) -> Screen:
    return Screen(html=_join(*paragraphs))


def _join(*paragraphs: Markup) -> str:
    return str(Markup("\n\n").join(part for part in paragraphs if part))
