"""Telegram's money from the command line: refunds, the list of payments, and reconciliation."""

# First of all imports: it halves what aiogram costs, and only if nothing has imported aiogram before.
from starbooth.outside.telegram import lean  # noqa: F401

# isort: split
import getpass
import sys
from contextlib import AsyncExitStack
from datetime import timedelta

from rich.console import Console
from rich.table import Table

from starbooth.base.database import Database
from starbooth.base.settings import Settings
from starbooth.cli.wiring import open_booth
from starbooth.domain.payments import refunds
from starbooth.domain.payments.differences import Patience
from starbooth.domain.payments.errors import MonthNotRefundable
from starbooth.domain.payments.read import PaymentState, Summary, list_payments, summarise
from starbooth.domain.payments.reconcile import Report, reconcile, xtr_text
from starbooth.domain.payments.refunds import Begun, RefundState
from starbooth.domain.payments.shop import shop_of
from starbooth.domain.stars.errors import NoSuchPurchase, PurchaseNotPaid, StarsSpent
from starbooth.domain.users.guests import Language, find_user
from starbooth.doors.bot.difference_words import word_difference
from starbooth.doors.bot.words import words_for
from starbooth.outside.telegram.client import opened_bot
from starbooth.outside.telegram.errors import TelegramRefused
from starbooth.outside.telegram.stars import TelegramStars


async def refund_charge(
    settings: Settings, *, charge_id: str, reason: str, is_forced: bool, is_sure: bool
) -> int:
    """Show what was done with a payment's stars, ask, and refund it. Returns the exit status."""
    async with AsyncExitStack() as stack:
        booth = await stack.enter_async_context(open_booth(settings, connections=2))
        bot = await stack.enter_async_context(opened_bot(settings.token, settings.telegram_api))
        try:
            async with booth.database.transaction() as tx:
                summary = await summarise(tx, charge_id=charge_id)
        except NoSuchPurchase:
            print(f"No payment with the charge id {charge_id!r} is known here.", file=sys.stderr)
            return 1
        print(_summary_text(summary))
        if summary.payment.state is not PaymentState.REFUNDED and not is_sure and not _is_wanted():
            print("Left as it is.")
            return 1
        begun = await _begin(booth.database, summary, reason=reason, is_forced=is_forced)
        if begun is None:
            return 1
        state = await refunds.carry_out(booth.database, TelegramStars(bot), begun.refund_id)
    return _say_outcome(begun, state)


def _is_wanted() -> bool:
    """Ask at the terminal; anything but yes is no, also where nobody is there to answer."""
    print("Refund it? [y/N] ", end="", flush=True)
    answer = sys.stdin.readline().strip().lower()
    print()
    return answer in ("y", "yes")


async def _begin(database: Database, summary: Summary, *, reason: str, is_forced: bool) -> Begun | None:
    try:
        async with database.transaction() as tx:
            return await refunds.begin(
                tx,
                charge_id=summary.payment.charge_id,
                operator=f"command:{getpass.getuser()}",
                reason=reason.strip(),
                is_forced=is_forced,
            )
    except StarsSpent as spent:
        print(
            f"{summary.payment.amount_stars} stars are needed and {spent.balance_stars} are there."
            " --force takes the balance below zero.",
            file=sys.stderr,
        )
    except PurchaseNotPaid:
        print("This purchase is not a paid one, so there is nothing to give back.", file=sys.stderr)
    except MonthNotRefundable:
        print(
            "Telegram knows this month of a plan only by the payment that began it, so it cannot give this"
            " month back alone.",
            file=sys.stderr,
        )
    return None


def _say_outcome(begun: Begun, state: RefundState) -> int:
    first = (
        f" {begun.operator} asked for it on {begun.begun_at:%Y-%m-%d %H:%M} UTC." if begun.is_repeat else ""
    )
    match state:
        case RefundState.DONE:
            print(f"Refunded.{first}" if not begun.is_repeat else f"It has been refunded.{first}")
            return 0
        case RefundState.ASKED:
            print(
                f"Telegram has not answered for sure.{first} The stars are set aside; a worker keeps asking.",
                file=sys.stderr,
            )
        case RefundState.REFUSED:
            print(f"Telegram refused.{first} The stars are back with the guest.", file=sys.stderr)
    return 1


def _summary_text(summary: Summary) -> str:
    payment = summary.payment
    who = f"@{payment.username}" if payment.username else str(payment.telegram_id)
    lines = [
        f"{payment.amount_xtr} XTR for {payment.amount_stars} stars,"
        f" paid {payment.paid_at:%Y-%m-%d %H:%M} UTC by {who}.",
        f"Since then: {summary.orders} orders, {summary.pictures} pictures,"
        f" {summary.spent_stars} stars spent. Balance: {summary.balance_stars}.",
    ]
    if payment.flag:
        lines.append(f"Flagged: {payment.flag}.")
    if payment.state is PaymentState.PAID and summary.short_stars:
        lines.append(
            f"{summary.short_stars} stars short: after a refund the balance would be"
            f" {summary.balance_after_stars}, and nothing could be spent."
        )
    return "\n".join(lines)


async def print_payments(settings: Settings, *, who: str | None, is_flagged: bool, limit: int) -> int:
    """Print the newest payments as a table. Raises: NoSuchGuest."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        user_id = await find_user(tx, who) if who else None
        payments = await list_payments(tx, user_id=user_id, is_flagged=is_flagged, limit=limit)
    if not payments:
        print("There is no such payment.")
        return 0
    table = Table("paid (UTC)", "who", "XTR", "stars", "state", "flag")
    table.add_column("charge id", no_wrap=True, overflow="ignore")
    for each in payments:
        table.add_row(
            f"{each.paid_at:%Y-%m-%d %H:%M:%S}",
            f"@{each.username}" if each.username else str(each.telegram_id),
            str(each.amount_xtr),
            str(each.amount_stars),
            each.state.value,
            each.flag or "",
            each.charge_id,
        )
    # As wide as the ids need: one that is cut off cannot be given to `starbooth refund`.
    Console(width=max(Console().width, 90 + max(len(each.charge_id) for each in payments))).print(table)
    return 0


async def reconcile_now(settings: Settings, *, is_fresh_too: bool) -> int:
    """Compare Telegram's books with ours and print each difference. Returns 0 where nothing is left to do."""
    async with AsyncExitStack() as stack:
        booth = await stack.enter_async_context(open_booth(settings, connections=2))
        bot = await stack.enter_async_context(opened_bot(settings.token, settings.telegram_api))
        patience = Patience(fresh=timedelta(seconds=-5)) if is_fresh_too else Patience()
        try:
            report = await reconcile(
                booth.database, TelegramStars(bot), shop=shop_of(settings), patience=patience
            )
        except TelegramRefused as refused:
            print(f"Telegram refuses to show its list: {refused.reason}.", file=sys.stderr)
            return 1
    if report is None:
        print("Another reconciliation is at work. Try again in a minute.", file=sys.stderr)
        return 1
    _print_report(report)
    return 0 if report.is_clean and report.is_complete else 1


def _print_report(report: Report) -> None:
    words = words_for(Language.ENGLISH)
    if report.differences:
        table = Table("what", "is", "what to do", "about", show_lines=True)
        for each in report.differences:
            what, advice = word_difference(words, each)
            advice_text = advice.striptags() or "Nothing."
            table.add_row(each.kind.value, what.striptags(), advice_text, each.subject)
        Console().print(table)
    if report.balance is None:
        print("The balance was not compared: the list did not come to rest.")
    else:
        told, listed = report.balance.telegram_nanos, report.balance.listed_nanos
        print(f"Telegram says {xtr_text(told)} XTR, and its list adds up to {xtr_text(listed)} XTR.")
    left = sum(not each.is_mended for each in report.differences)
    mended = len(report.differences) - left
    print(f"{report.rows_read} rows read, {mended} differences put right, {left} left.")
    if not report.is_complete:
        print("Telegram's list was not read to its end, so the books were not compared. Run it again.")
