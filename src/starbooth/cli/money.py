"""Stars from the command line: granting and auditing."""

import getpass
import secrets
import sys

from rich.console import Console
from rich.table import Table

from starbooth.base.errors import Refusal
from starbooth.base.settings import Settings
from starbooth.cli.wiring import open_booth
from starbooth.domain.prompts.errors import PromptRefused
from starbooth.domain.stars import audit as auditing
from starbooth.domain.stars import ledger
from starbooth.domain.stars.errors import (
    AmountRefused,
    KeyReused,
    NotEnoughStars,
    ReasonMissing,
    TooManyStars,
)
from starbooth.domain.users.errors import NoSuchGuest
from starbooth.domain.users.guests import find_user


async def grant_stars(settings: Settings, *, who: str, amount: int, reason: str, key: str | None) -> int:
    """Give or take stars and say the balance after it. Returns the exit status; raises the ledger's noes."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        user_id = await find_user(tx, who)
        try:
            moved = await ledger.grant(
                tx,
                user_id=user_id,
                amount=amount,
                reason=reason,
                operator=f"command:{getpass.getuser()}",
                key=f"grant:{key or secrets.token_hex(12)}",
            )
        except KeyReused:
            print(f"The key {key!r} was used for another grant; nothing moved.", file=sys.stderr)
            return 1
    said = "had been granted before" if moved.is_repeat else "granted"
    print(
        f"{amount:+d} stars {said}; the balance is {moved.balance_stars}. Ledger row {moved.transaction_id}."
    )
    return 0


async def audit_ledger(settings: Settings) -> int:
    """Audit and print what was found. Returns 0 where every star is accounted for, else 1."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        found = await auditing.audit(tx)
    console = Console()
    if found.is_clean:
        console.print(f"{found.accounts} accounts, {found.rows} ledger rows: every star is accounted for.")
        return 0
    table = Table("account", "figure", "written", "computed", "difference")
    for each in found.differences:
        table.add_row(
            each.user_id,
            each.figure,
            str(each.written),
            str(each.computed),
            f"{each.written - each.computed:+d}",
        )
    for row_id, what in found.odd_rows:
        table.add_row("", f"row {row_id}", what, "", "")
    console.print(table)
    count = len(found.differences) + len(found.odd_rows)
    console.print(f"{count} differences in {found.accounts} accounts and {found.rows} ledger rows.")
    return 1


def refusal_text(refusal: Refusal) -> str:
    """A refusal as a sentence for an operator."""
    match refusal:
        case NotEnoughStars():
            return f"{refusal.price_stars} stars are needed and the balance is {refusal.balance_stars}."
        case NoSuchGuest():
            return f"Nobody is known as {refusal.who!r}. Give an id, a Telegram id, or a @name."
        case AmountRefused():
            return f"{refusal.amount} cannot be moved: give 1 to {ledger.LARGEST_AMOUNT}, or below zero."
        case ReasonMissing():
            return "Say why: --reason must not be empty."
        case PromptRefused():
            return f"The word list does not allow this prompt: {refusal.detail}"
        case TooManyStars():
            return "The balance would be larger than the database can hold."
        case _:
            return f"Refused: {refusal.code} ({refusal})."
