"""`starbooth costs`, as an operator runs it."""

from pathlib import Path

from starbooth.base.database import Database
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.sweep import sweep
from tests.cli.commands import starbooth
from tests.make.engine import MemoryEngine
from tests.make.guests import make_guest
from tests.make.orders import let_pass, make_outside, place_pictures


async def test_the_table_adds_up_and_says_where_its_prices_are_from(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    said = starbooth("costs", home=tmp_path, DATABASE_URL=database_url)
    assert (said.returncode, said.stdout) == (0, "No order ended in the last 30 days.\n")
    engine = MemoryEngine()
    outside = make_outside(engine)
    await place_pictures(database, await make_guest(database, stars=20), pictures=2)
    await start_orders(database, outside)
    engine.finish(0)
    engine.finish(1)
    await let_pass(database, 70)
    await sweep(database, outside)
    said = starbooth("costs", "--days", "7", home=tmp_path, DATABASE_URL=database_url)
    assert (said.returncode, said.stderr) == (0, "")
    total = next(line for line in said.stdout.splitlines() if line.startswith("│ all"))
    assert [cell.strip() for cell in total.split("│")[3:9]] == ["2", "0", "6", "0.05", "0.0250", "0"]
    assert "list prices" in said.stdout
    assert "what is unpriced" not in said.stdout
