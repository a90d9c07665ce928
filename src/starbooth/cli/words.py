"""The word list from the command line: what prompts must not hold, and who was refused."""

import getpass
import sys

from rich.console import Console
from rich.table import Table

from starbooth.base.errors import Refusal
from starbooth.base.settings import Settings
from starbooth.cli.wiring import open_booth
from starbooth.domain.prompts.errors import NoSuchPhrase, PhraseRefused
from starbooth.domain.prompts.gate import list_refused
from starbooth.domain.prompts.word_list import add_entry, find_in, list_entries, remove_entry

_MOST_SHOWN = 50


async def print_words(settings: Settings) -> int:
    """Print every entry of the list. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        found = await list_entries(tx)
    table = Table("entry", "note", "refused in 30 days", "by", "since (UTC)", show_lines=True)
    for each in found:
        since = f"{each.added_at:%Y-%m-%d %H:%M}"
        table.add_row(each.entry, each.note, str(each.refusals), each.operator, since)
    _console().print(table)
    return 0


async def add_words(settings: Settings, *, entry: str, note: str) -> int:
    """Refuse prompts with this from the next one on. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth:
        try:
            async with booth.database.transaction() as tx:
                kept = await add_entry(tx, typed=entry, note=note, operator=_operator())
        except PhraseRefused as refusal:
            return _say_no(refusal)
    print(f"Prompts with this are refused from now on: {kept}")
    return 0


async def remove_words(settings: Settings, *, entry: str) -> int:
    """Allow this from the next prompt on. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth:
        try:
            async with booth.database.transaction() as tx:
                gone = await remove_entry(tx, typed=entry, operator=_operator())
        except (PhraseRefused, NoSuchPhrase) as refusal:
            return _say_no(refusal)
    print(f"Allowed from now on: {gone}")
    return 0


async def try_words(settings: Settings, *, prompt: str) -> int:
    """Say what the list makes of this prompt. Returns 0 where it is allowed, else 1."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        entry = await find_in(tx, [prompt])
    print("Allowed." if entry is None else f"Refused, by this entry: {entry}")
    return 0 if entry is None else 1


async def print_refused(settings: Settings) -> int:
    """Print the guests whose prompts were refused last. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        found = await list_refused(tx, limit=_MOST_SHOWN)
    if not found:
        print("No prompt was refused in the last 30 days.")
        return 0
    table = Table("guest", "Telegram id", "refused today", "in 30 days", "last (UTC)")
    for each in found:
        name = f"@{each.username}" if each.username else each.user_id
        figures = (str(each.refusals_today), str(each.refusals))
        table.add_row(name, each.telegram_id, *figures, f"{each.newest:%Y-%m-%d %H:%M}")
    _console().print(table)
    return 0


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 160)


def _operator() -> str:
    return f"command:{getpass.getuser()}"


def _say_no(refusal: Refusal) -> int:
    if isinstance(refusal, PhraseRefused):
        print(f"Refused: {refusal.reason}.", file=sys.stderr)
    else:
        print("The list has no such entry; `starbooth words list` shows them.", file=sys.stderr)
    return 1
