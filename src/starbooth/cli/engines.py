"""The engines from the command line: which are used, how each does, and switching them while open."""

import sys

from rich.console import Console
from rich.table import Table

from starbooth.base.settings import Settings
from starbooth.cli.wiring import open_booth
from starbooth.domain.catalog.engines import change_engine, list_breakers, list_engines


async def print_engines(settings: Settings) -> int:
    """Print every engine in order of preference, and what is wrong with it. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        found, breakers = await list_engines(tx), await list_breakers(tx)
    if not found:
        print("No engine is known yet: workers write them down when they start.")
        return 0
    table = Table("engine", "used", "place", "slots", "at work", "training", "trouble")
    for each in found:
        trouble = [
            f"{broken.endpoint}: {broken.cause}, {broken.failures} times"
            + (f"; resting until {broken.open_until:%H:%M:%S} UTC" if broken.open_until else "")
            for broken in breakers
            if broken.engine == each.name
        ]
        training = f"{each.trainings_at_work} of {each.training_slots}"
        figures = (str(each.position), str(each.slots), str(each.at_work), training)
        table.add_row(each.name, "yes" if each.is_on else "no", *figures, "\n".join(trouble))
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return 0


async def set_engine(
    settings: Settings,
    *,
    name: str,
    is_on: bool | None,
    slots: int | None,
    place: int | None,
    training_slots: int | None = None,
) -> int:
    """Change one engine; workers see it within seconds. Returns the exit status."""
    async with open_booth(settings, connections=1) as booth, booth.database.transaction() as tx:
        is_known = await change_engine(
            tx, name, is_on=is_on, slots=slots, position=place, training_slots=training_slots
        )
    if not is_known:
        print(f"There is no engine {name}: `starbooth engines list` shows them.", file=sys.stderr)
        return 1
    print(f"{name}: changed. Workers see it within two seconds; what it works on is still collected.")
    return 0
