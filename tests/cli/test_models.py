"""`starbooth models`, as an operator runs it while the booth is open."""

from pathlib import Path

from starbooth.base.database import Database
from starbooth.domain.models.reports import Reason, report_model
from tests.cli.commands import starbooth
from tests.make.guests import make_guest, read_stars
from tests.make.loras import make_lora
from tests.make.orders import end_order, place_pictures


async def test_reports_are_listed_and_settled(database: Database, database_url: str, tmp_path: Path) -> None:
    def models(*arguments: str) -> tuple[int, str]:
        said = starbooth("models", *arguments, home=tmp_path, DATABASE_URL=database_url)
        return said.returncode, said.stdout + said.stderr

    maker, guest = await make_guest(database, username="ada"), await make_guest(database, stars=100)
    lora = await make_lora(database, maker, name="Storybook", is_public=True, fee_stars=4)
    async with database.transaction() as tx:
        await report_model(tx, lora, Reason.STOLEN, user_id=guest)
    status, said = models("reports")
    assert status == 0
    assert all(part in said for part in (lora, "Storybook", "@ada", "stolen (1)"))
    assert models("hide", lora, "not yours") == (0, "Hidden; its maker is told why.\n")
    assert models("keep", "nobody") == (1, "There is no model of this id.\n")


async def test_an_order_goes_back_and_its_maker_earns_less(
    database: Database, database_url: str, tmp_path: Path
) -> None:
    maker, guest = await make_guest(database, username="ada"), await make_guest(database, stars=100)
    lora = await make_lora(database, maker, is_public=True, fee_stars=4)
    placed = await place_pictures(database, guest, pictures=4, loras=[lora])
    await end_order(database, placed.order_id, done=4)
    listed = starbooth("models", "makers", home=tmp_path, DATABASE_URL=database_url)
    assert "@ada" in listed.stdout
    returned = starbooth(
        "models", "give-back", placed.order_id, "sorry", home=tmp_path, DATABASE_URL=database_url
    )
    assert returned.stdout == "16 stars went back to the guest; makers earned 2 stars less.\n"
    assert (await read_stars(database, guest))[0] == 100
