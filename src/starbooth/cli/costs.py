"""What pictures and trainings cost and brought, for the operator."""

import sys
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from starbooth.base.settings import Settings
from starbooth.cli.wiring import open_booth
from starbooth.domain.generations.costs import CostLine, read_costs
from starbooth.outside.engine.prices import AS_OF


async def print_costs(settings: Settings, *, days: int) -> int:
    """Print what was made, income and cost by model and engine, of so many days. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        lines = await read_costs(tx, age=timedelta(days=days))
    if not lines:
        print(f"No order ended in the last {days} days.")
        return 0
    Console(width=None if sys.stdout.isatty() else 160).print(_table(lines))
    print(f"At fal.ai's list prices of {AS_OF:%d.%m.%Y}, not from its bill.")
    if any(line.unpriced for line in lines):
        print("The cost of what is unpriced is not known and not in the sums.")
    return 0


def _table(lines: Sequence[CostLine]) -> Table:
    numbers = ("made", "failed", "income ⭐", "cost $", "$ each", "unpriced")
    table = Table("model", "engine", show_footer=True)
    total = _total(lines)
    for name, footer in zip(numbers, _figures(total), strict=True):
        table.add_column(name, footer, justify="right")
    table.columns[0].footer = "all"
    for line in lines:
        table.add_row(line.model, line.engine, *_figures(line))
    return table


def _figures(line: CostLine) -> tuple[str, ...]:
    priced = line.made - line.unpriced
    each = f"{line.cost_usd / priced:.4f}" if priced else "–"
    return (
        f"{line.made}",
        f"{line.failed}",
        f"{line.stars:.0f}",
        f"{line.cost_usd:.2f}",
        each,
        f"{line.unpriced}",
    )


def _total(lines: Sequence[CostLine]) -> CostLine:
    return CostLine(
        model="",
        engine="",
        made=sum(line.made for line in lines),
        failed=sum(line.failed for line in lines),
        stars=sum((line.stars for line in lines), Decimal(0)),
        cost_usd=sum((line.cost_usd for line in lines), Decimal(0)),
        unpriced=sum(line.unpriced for line in lines),
    )
