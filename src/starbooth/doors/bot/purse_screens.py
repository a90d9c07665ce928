"""What guests see of their stars: the balance, the history page by page, and the table of it all. Pure."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Literal

from babel.dates import format_skeleton
from markupsafe import Markup

from starbooth.domain.delivery.screen import Button, Screen
from starbooth.domain.orders.statement import Page, Place, StatementEntry, Totals
from starbooth.domain.stars.tables import TransactionStatus, TransactionType
from starbooth.doors.bot.pieces import shorten, stars
from starbooth.doors.bot.screens import word_reason
from starbooth.doors.bot.words import Words

PREFIX = "purse:"
SHOW_BALANCE, SHOW_HISTORY, SEND_TABLE = f"{PREFIX}b", f"{PREFIX}h", f"{PREFIX}csv"
TOP_UP = "buy:menu"
_LONGEST_PROMPT = 60
_LONGEST_REASON = 160
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_PLACE = re.compile(r"purse:([on]):([0-9a-z]{1,8}):([A-Za-z0-9_-]{1,30}):(-?[0-9a-z]{1,6}):([0-9a-z]{1,7})")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# What a spreadsheet takes for the beginning of a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def render_balance(words: Words, totals: Totals, entries: Sequence[StatementEntry]) -> Screen:
    """The answer to /balance: the three figures and the last movements."""
    lately = [_short_entry(words, entry) for entry in entries]
    return Screen(
        html=_join(
            _balance(words, totals.stars),
            words.say(
                "Bought so far: {bought}. Spent so far: {spent}.",
                bought=stars(words, totals.bought_stars),
                spent=stars(words, totals.spent_stars),
            ),
            Markup("\n").join([words.say("Lately:"), *lately]) if lately else Markup(),
        ),
        rows=(
            (Button(label=words.plain("⭐ Top up"), action=TOP_UP),),
            (
                Button(label=words.plain("History"), action=SHOW_HISTORY),
                Button(label=words.plain("As a table (CSV)"), action=SEND_TABLE),
            ),
        ),
    )


def render_history(words: Words, page: Page) -> Screen:
    """One page of the history, newest first. Fits into a message whatever was written and ordered."""
    entries = [_long_entry(words, entry) for entry in page.entries]
    body = entries or [words.say("Nothing has happened here yet.")]
    turn = []
    if page.newer is not None:
        turn.append(Button(label=words.plain("« Newer"), action=_action("n", page.newer)))
    if page.older is not None:
        turn.append(Button(label=words.plain("Older »"), action=_action("o", page.older)))
    back = Button(label=words.plain("Back to the balance"), action=SHOW_BALANCE)
    head = words.say("<b>What your stars did</b> (times in UTC)")
    return Screen(html=_join(head, *body), rows=((tuple(turn),) if turn else ()) + ((back,),))


def render_export(words: Words, *, is_cut: bool, most: int) -> Markup:
    """The words under the table."""
    if is_cut:
        return words.say("The last {most} movements of your stars, newest first.", most=most)
    return words.say("Every movement of your stars, newest first.")


def table_head(words: Words) -> list[str]:
    """The columns of the table."""
    return [
        words.plain("when (UTC)"),
        words.plain("stars"),
        words.plain("balance"),
        words.plain("what"),
        words.plain("for"),
        words.plain("why"),
        "id",
    ]


def table_row(words: Words, entry: StatementEntry) -> list[str]:
    """One movement as a row of the table; nothing in it is taken for a formula by a spreadsheet."""
    cells = (_what(words, entry), " ".join((entry.prompt or "").split()), _why(words, entry), entry.entry_id)
    figures = (f"{entry.at:%Y-%m-%d %H:%M:%S}", str(entry.amount), str(entry.balance_stars))
    return [*figures, *(_harmless(cell) for cell in cells)]


def parse_place(action: str | None) -> tuple[Literal["older", "newer"], Place] | None:
    """The place that a button names; None for anything that no button of ours says."""
    found = _PLACE.fullmatch(action or "")
    if found is None:
        return None
    way, at, entry_id, balance, read_at = found.groups()
    place = Place(
        at=(_EPOCH + timedelta(milliseconds=int(at, 36))).replace(tzinfo=None),
        entry_id=entry_id,
        balance_stars=int(balance, 36),
        read_at=_EPOCH + timedelta(seconds=int(read_at, 36)),
    )
    return ("older" if way == "o" else "newer"), place


def _action(way: Literal["o", "n"], place: Place) -> str:
    at_ms = round((place.at.replace(tzinfo=UTC) - _EPOCH) / timedelta(milliseconds=1))
    read_s = int((place.read_at - _EPOCH).total_seconds())
    figures = (_base36(at_ms), place.entry_id, _base36(place.balance_stars), _base36(read_s))
    return f"{PREFIX}{way}:{':'.join(figures)}"


def _base36(number: int) -> str:
    sign, rest, digits = "-" if number < 0 else "", abs(number), ""
    while rest or not digits:
        rest, digit = divmod(rest, 36)
        digits = _DIGITS[digit] + digits
    return sign + digits


def _balance(words: Words, balance_stars: int) -> Markup:
    if balance_stars >= 0:
        return words.say("<b>You have {stars}.</b>", stars=stars(words, balance_stars))
    return words.say(
        "<b>You are short of {stars}.</b> A payment went back to you after its stars had been spent."
        " Top up, and you can go on painting.",
        stars=stars(words, -balance_stars),
    )


def _short_entry(words: Words, entry: StatementEntry) -> Markup:
    day = format_skeleton("MMMd", entry.at, locale=words.language.value)
    return Markup("<code>{}</code> · {} · {}").format(_signed(entry.amount), _what(words, entry), day)


def _long_entry(words: Words, entry: StatementEntry) -> Markup:
    day = format_skeleton("yMMMd", entry.at, locale=words.language.value)
    lines = [Markup("<b>{}</b> · {}").format(_signed(entry.amount), _what(words, entry))]
    if entry.prompt:
        lines.append(Markup("<i>{}</i>").format(shorten(entry.prompt, limit=_LONGEST_PROMPT)))
    if why := _why(words, entry):
        lines.append(Markup("{}").format(shorten(why, limit=_LONGEST_REASON)))
    lines.append(
        words.say(
            "{when} · balance {balance}",
            when=f"{day}, {entry.at:%H:%M}",
            balance=_signed(entry.balance_stars).removeprefix("+"),
        )
    )
    return Markup("\n").join(lines)


def _what(words: Words, entry: StatementEntry) -> str:
    """What a movement was, in a few words."""
    is_waiting = entry.status is TransactionStatus.PENDING
    has_returned = entry.status is TransactionStatus.REFUNDED
    match entry.kind:
        case TransactionType.GENERATION if is_waiting:
            return words.plain("set aside for a picture")
        case TransactionType.GENERATION if has_returned:
            return words.plain("a picture that was not made")
        case TransactionType.GENERATION:
            return words.plain("a picture")
        case TransactionType.TRAINING if is_waiting:
            return words.plain("set aside for a training")
        case TransactionType.TRAINING if has_returned:
            return words.plain("a training that was not finished")
        case TransactionType.TRAINING:
            return words.plain("a training")
        case TransactionType.PURCHASE if has_returned:
            return words.plain("bought, and paid back later")
        case TransactionType.PURCHASE:
            return words.plain("bought")
        case TransactionType.REFUND:
            return _what_returned(words, entry)
        case TransactionType.ADMIN_GRANT if entry.amount < 0:
            return words.plain("taken by the people who run the booth")
        case TransactionType.ADMIN_GRANT:
            return words.plain("from the people who run the booth")
        case TransactionType.BONUS:
            return _what_gift(words, entry)


def _what_returned(words: Words, entry: StatementEntry) -> str:
    if entry.amount > 0:
        return words.plain("given back")
    if entry.status is TransactionStatus.PENDING:
        return words.plain("a payment that is on its way back to you")
    return words.plain("a payment that went back to you")


def _what_gift(words: Words, entry: StatementEntry) -> str:
    match entry.reason:
        case "welcome":
            return words.plain("the welcome gift")
        case "daily":
            return words.plain("the gift of the day")
        case "promo":
            return words.plain("the code {code}", code=entry.promo_code or "")
        case "referral" if entry.referral_side == "friend":
            return words.plain("for coming by a friend's link")
        case "referral":
            return words.plain("for a friend whom you brought")
        case "earnings":
            return words.plain("what your models earned")
        case _:
            return words.plain("a gift")


def _why(words: Words, entry: StatementEntry) -> str:
    """Why stars came back or were granted; empty where there is nothing to say."""
    if not entry.reason:
        return ""
    if entry.kind is TransactionType.ADMIN_GRANT or (
        entry.kind is TransactionType.REFUND and entry.of_kind is TransactionType.PURCHASE
    ):
        return " ".join(entry.reason.split())
    if entry.kind is TransactionType.REFUND:
        if entry.reason == "cancelled":
            return words.plain("It was cancelled.")
        return str(word_reason(entry.reason, words).unescape())
    return ""


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _signed(amount: int) -> str:
    return f"−{-amount}" if amount < 0 else f"+{amount}"


def _join(*paragraphs: Markup) -> str:
    return str(Markup("\n\n").join(part for part in paragraphs if part))
