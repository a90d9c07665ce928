"""Storage against the database, from the command line."""

from rich.console import Console
from rich.table import Table

from starbooth.base.clock import now
from starbooth.base.settings import Settings
from starbooth.cli.wiring import open_booth
from starbooth.domain.privacy.strays import Survey, delete_strays, survey

_SHOWN = 50


async def compare_storage(settings: Settings, *, deletes: bool) -> int:
    """Show strays and lost files, and delete strays where that is wanted.

    Returns 0 where nothing is left to do.
    """
    async with open_booth(settings, connections=2) as booth:
        found = await survey(booth.database, booth.storage, at=now())
        _print(found)
        deleted = await delete_strays(booth.database, booth.storage, found.strays) if deletes else 0
    if deletes:
        print(f"{deleted} strays deleted.")
    elif found.strays:
        print("--delete takes the strays away.")
    return 0 if not found.lost and deleted == len(found.strays) else 1


def _print(found: Survey) -> None:
    print(f"{found.files} files, {_megabytes(found.size_bytes)}.")
    if found.young:
        print(f"{found.young} that nobody names yet are younger than a day: work may be under way.")
    if found.foreign:
        print(f"{found.foreign} in folders that are not ours were passed over.")
    _print_some("strays: old, and no row names them", [each.key for each in found.strays])
    _print_some("lost: a row names them", [f"{each.key} ({each.kind})" for each in found.lost])
    if found.is_clean:
        print("Storage holds what the database names.")
    elif found.is_strange:
        print("So many strays: make sure that this is the database that belongs to this storage.")


def _print_some(title: str, lines: list[str]) -> None:
    if not lines:
        return
    table = Table(f"{len(lines)} {title}")
    table.columns[0].overflow = "fold"
    for line in lines[:_SHOWN]:
        table.add_row(line)
    if len(lines) > _SHOWN:
        table.add_row("…")
    Console().print(table)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1024**2:.1f} MB"
