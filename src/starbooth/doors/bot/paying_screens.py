"""What buying stars looks like: the packs, the invoice, the thanks, and the noes before a payment.

Facts in, a screen or a text out. A button bears the pack as it was shown, so an old one cannot promise what
is no longer sold.
"""

import re

from markupsafe import Markup

from starbooth.base.errors import Refusal
from starbooth.base.prices import Pack
from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.payments.purchases import Purchase
from starbooth.domain.payments.receive import Received
from starbooth.doors.bot.pieces import plain_stars, stars
from starbooth.doors.bot.plan_screens import plan_button
from starbooth.doors.bot.terms import Terms
from starbooth.doors.bot.words import Words

PREFIX = "buy:"
SHOW = "buy:packs"
FORGET = "buy:forget"
START_PARAMETER = "buy"  # of a link that opens the shop in private
_PACK = re.compile(r"buy:pack:([0-9]{1,7}):([0-9]{1,7}):([0-9]{1,7})")


def parse_pack_button(action: str | None) -> Pack | None:
    """The pack that a button bears; None for anything that no button of ours says."""
    found = _PACK.fullmatch(action or "")
    if found is None:
        return None
    stars_, bonus_stars, amount_xtr = (int(part) for part in found.groups())
    return Pack(stars=stars_, bonus_stars=bonus_stars, amount_xtr=amount_xtr)


def render_packs(words: Words, terms: Terms, *, price_stars: int, balance_stars: int) -> Screen:
    """The answer to /buy: what is on sale, and what it is good for."""
    head = words.say(
        "You have {balance}. A picture costs {price}.",
        balance=stars(words, balance_stars),
        price=stars(words, price_stars),
    )
    return _packs(words, terms, head, price_stars=price_stars)


def render_not_on_sale(words: Words, terms: Terms, *, price_stars: int) -> Screen:
    """The answer to a button whose pack is not sold any more, or not at its price."""
    head = words.say("That pack is no longer sold at that price. Nothing was charged.")
    return _packs(words, terms, head, price_stars=price_stars)


def render_short(
    words: Words,
    terms: Terms,
    refusal: Markup,
    *,
    price_stars: int,
    is_kept: bool,
    change: Button | None = None,
) -> Screen:
    """A refusal for lack of stars, with the packs below it. is_kept: what was wanted waits for them.

    change: the button that lets the guest change what is kept, where it can be changed.
    """
    if not terms.packs:
        return Screen(html=str(refusal))
    if not is_kept:
        return _packs(words, terms, refusal, price_stars=price_stars)
    promise = words.say("I remember what you wanted: once you top up, it starts by itself, at this price.")
    forget = Button(label=words.plain("Forget it"), action=FORGET)
    last = (forget,) if change is None else (change, forget)
    return _packs(words, terms, _join(refusal, promise), price_stars=price_stars, more=(last,))


def render_forgotten(words: Words) -> str:
    """The answer to the button that forgets what waits for stars."""
    return words.plain("Forgotten. Nothing was charged.")


def render_thanks(
    words: Words, terms: Terms, received: Received, *, price_stars: int, is_renewal: bool
) -> Screen:
    """What a payment brought, and what becomes of the wish that waited for it."""
    credited = received.credited
    if received.is_returned:
        return _screen(
            words.say("This invoice was paid before, so the second payment goes back to you in full.")
        )
    came = _came(
        words, amount_stars=credited.amount_stars, balance_stars=credited.balance_stars, is_renewal=is_renewal
    )
    if credited.cart is None:
        return _screen(came)
    missing = credited.cart.wish.price_stars - credited.balance_stars
    if missing <= 0:
        return _screen(came, words.say("What you wanted starts by itself now."))
    short = words.say_n(
        "For what you wanted, {n} star is still missing. It waits.",
        "For what you wanted, {n} stars are still missing. It waits.",
        missing,
    )
    if not terms.packs:
        return _screen(came, short)
    return _packs(words, terms, _join(came, short), price_stars=price_stars)


def render_stuck(words: Words) -> Screen:
    """A payment that could not be credited in all this time."""
    return _screen(
        words.say(
            "Your payment has reached us, but I could not add its stars yet. It is not lost: the people who"
            " run the booth know of it. /paysupport tells how to reach them."
        )
    )


def word_invoice(words: Words, purchase: Purchase, *, price_stars: int) -> tuple[str, str]:
    """The title and the description of an invoice; at most 32 and 255 characters."""
    pictures = _pictures_of(purchase.amount_stars, price_stars)
    what = words.plain("Stars for pictures in this booth.")
    worth = f" ≈ {words.plain_n('{n} picture', '{n} pictures', pictures)}." if pictures else ""
    return plain_stars(words, purchase.amount_stars), what + worth


def word_pay_button(words: Words, purchase: Purchase) -> str:
    """The label of the button that pays; Telegram makes its own icon of the star."""
    return words.plain("Pay {xtr} ⭐", xtr=purchase.amount_xtr)


def word_payment_refusal(refusal: Refusal, words: Words) -> Markup | None:
    """Two sentences for an expected no about paying; None for any other no. Without marks."""
    match refusal.code:
        case "invoice_too_old":
            return words.say("This invoice is too old to be paid. /buy brings a new one. Nothing was taken.")
        case "invoice_paid":
            return words.say("This invoice has been paid already. Nothing more was taken.")
        case "invoice_of_another":
            return words.say(
                "This invoice was made out to somebody else. /buy brings one of your own. Nothing was taken."
            )
        case "unknown_invoice":
            return words.say("This invoice is not one of ours. /buy brings a new one. Nothing was taken.")
    return None


def _came(words: Words, *, amount_stars: int, balance_stars: int, is_renewal: bool) -> Markup:
    sums = {"stars": stars(words, amount_stars), "balance": stars(words, balance_stars)}
    if is_renewal:
        return words.say("⭐ <b>Your monthly stars are here!</b> New: {stars}. In all: {balance}.", **sums)
    return words.say("⭐ <b>Thank you!</b> New: {stars}. In all: {balance}.", **sums)


def _packs(
    words: Words,
    terms: Terms,
    head: Markup,
    *,
    price_stars: int,
    more: tuple[tuple[Button, ...], ...] = (),
) -> Screen:
    if not terms.packs:
        return _screen(head, words.say("No stars are on sale here at the moment."))
    lines = [_line(words, pack, price_stars) for pack in terms.packs]
    rows = [(_pack_button(words, pack),) for pack in terms.packs]
    if terms.plan is not None:
        rows.append((plan_button(words, terms.plan),))
    return _screen(
        head,
        Markup("\n").join(lines),
        words.say("The prices on the buttons are in Telegram Stars. Choose a pack:"),
        rows=(*rows, *more),
    )


def _line(words: Words, pack: Pack, price_stars: int) -> Markup:
    """`265 stars ≈ 88 pictures · 🎁 15`: short enough for one line of a phone. The price is on the button."""
    line = Markup("<b>{}</b>").format(stars(words, pack.total_stars))
    pictures = _pictures_of(pack.total_stars, price_stars)
    if pictures:
        line += Markup(" ≈ {}").format(words.say_n("{n} picture", "{n} pictures", pictures))
    if pack.bonus_stars:
        line += Markup(" · 🎁\u00a0{}").format(pack.bonus_stars)
    return line


def _pack_button(words: Words, pack: Pack) -> Button:
    label = words.plain(
        "{stars} for {xtr} ⭐", stars=plain_stars(words, pack.total_stars), xtr=pack.amount_xtr
    )
    return Button(label=label, action=f"buy:pack:{pack.stars}:{pack.bonus_stars}:{pack.amount_xtr}")


def _pictures_of(amount_stars: int, price_stars: int) -> int:
    return amount_stars // price_stars if price_stars else 0


def _join(*paragraphs: Markup) -> Markup:
    return Markup("\n\n").join(part for part in paragraphs if part)


def _screen(*paragraphs: Markup, rows: tuple[tuple[Button, ...], ...] = ()) -> Screen:
    return Screen(html=str(_join(*paragraphs)), rows=rows)
