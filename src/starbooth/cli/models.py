"""Models from the command line: reports and what operators make of them, payouts, an order that goes back."""

import getpass
import sys
from collections.abc import Awaitable, Callable

from rich.console import Console
from rich.table import Table

from starbooth.base.database import Tx
from starbooth.base.errors import Refusal
from starbooth.base.settings import Settings
from starbooth.cli.wiring import open_booth
from starbooth.domain.models.earnings import list_makers
from starbooth.domain.models.errors import NoSuchModel, OrderNotPaid
from starbooth.domain.models.refunds import refund_order
from starbooth.domain.models.reports import hide_model, keep_model, lift_model, list_reported
from starbooth.domain.stars.errors import ReasonMissing

_MOST_SHOWN = 50


async def print_reports(settings: Settings) -> int:
    """Print the models whose reports nobody has looked at. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        found = await list_reported(tx, limit=_MOST_SHOWN)
    if not found:
        print("No model waits to be looked at.")
        return 0
    table = Table("model", "name", "maker", "public", "used", "reported for", "since (UTC)")
    for each in found:
        maker = f"@{each.maker_username}" if each.maker_username else each.maker_telegram_id
        reasons = ", ".join(f"{reason} ({n})" for reason, n in each.reasons.items())
        is_public = "yes" if each.is_listed else "no"
        since = f"{each.first_at:%Y-%m-%d %H:%M}"
        table.add_row(each.lora_id, each.name, maker, is_public, str(each.uses), reasons, since)
    _console().print(table)
    return 0


async def print_makers(settings: Settings) -> int:
    """Print who earned most, what they were paid, and what is gathered. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        found = await list_makers(tx, limit=_MOST_SHOWN)
    if not found:
        print("Nobody has earned anything with a public model yet.")
        return 0
    table = Table("maker", "paid in stars", "gathered in stars")
    for each in found:
        name = f"@{each.username}" if each.username else each.telegram_id
        table.add_row(name, str(each.paid_stars), f"{each.waiting_hundredths / 100:g}")
    _console().print(table)
    return 0


async def keep(settings: Settings, *, lora_id: str) -> int:
    """Settle a model's reports: there is nothing wrong with it. Returns the exit status."""

    async def work(tx: Tx) -> str:
        await keep_model(tx, lora_id, operator=_operator())
        return "Its reports are settled; it stays as it is."

    return await _do(settings, work)


async def hide(settings: Settings, *, lora_id: str, reason: str) -> int:
    """Take a model out of the catalogue; its maker is told why. Returns the exit status."""

    async def work(tx: Tx) -> str:
        is_new = await hide_model(tx, lora_id, reason=reason, operator=_operator())
        return (
            "Hidden; its maker is told why." if is_new else "It was hidden before; the first reason stands."
        )

    return await _do(settings, work)


async def lift(settings: Settings, *, lora_id: str) -> int:
    """Let a hidden model be public again, if its maker likes. Returns the exit status."""

    async def work(tx: Tx) -> str:
        is_new = await lift_model(tx, lora_id, operator=_operator())
        return "Its maker may publish it again." if is_new else "It was not hidden."

    return await _do(settings, work)


async def give_back(settings: Settings, *, order_id: str, reason: str) -> int:
    """Give an order's stars back, and take back what makers earned by it. Returns the exit status."""

    async def work(tx: Tx) -> str:
        returned = await refund_order(tx, order_id, reason=reason, operator=_operator())
        if returned.is_repeat:
            return f"Its {returned.stars} stars went back before."
        taken = f"{returned.taken_hundredths / 100:g}"
        return f"{returned.stars} stars went back to the guest; makers earned {taken} stars less."

    return await _do(settings, work)


async def _do(settings: Settings, work: Callable[[Tx], Awaitable[str]]) -> int:
    async with open_booth(settings, connections=1) as booth:
        try:
            async with booth.database.transaction() as tx:
                said = await work(tx)
        except (NoSuchModel, OrderNotPaid, ReasonMissing) as refusal:
            print(_word(refusal), file=sys.stderr)
            return 1
    print(said)
    return 0


def _word(refusal: Refusal) -> str:
    match refusal:
        case OrderNotPaid():
            return "There is no such order, it has not ended, or nothing was paid for it."
        case ReasonMissing():
            return "Give a reason: the maker or the guest reads it."
        case _:
            return "There is no model of this id."


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 160)


def _operator() -> str:
    return f"command:{getpass.getuser()}"
