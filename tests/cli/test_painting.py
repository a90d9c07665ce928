"""What engines are lent: addresses of our own, for two hours, and nothing else."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

from starbooth.base.database import Database
from starbooth.base.settings import read_settings
from starbooth.cli.painting import outside_of
from starbooth.cli.wiring import Booth
from starbooth.outside.storage.links import is_valid
from tests.make.engine import MemoryEngine
from tests.make.storage import MemoryStorage

SECRET = b"a secret of at least thirty-two characters"
BOOTH = "https://booth.invalid"


async def test_weights_are_lent_for_two_hours_and_addresses_of_others_stay_as_they_are(
    database: Database, tmp_path: Path
) -> None:
    settings = read_settings(home=tmp_path, public_url=BOOTH)
    booth = Booth(settings=settings, database=database, storage=MemoryStorage(), secret=SECRET)
    outside = outside_of(booth, {"memory": MemoryEngine()})
    lasting = outside.file_url("models/c1/weights.safetensors")
    assert lasting == f"{BOOTH}/files/models/c1/weights.safetensors"
    address, _, query = outside.lend_url(lasting).partition("?")
    assert address == lasting
    path, fields, moment = address.removeprefix(BOOTH), dict(parse_qsl(query)), datetime.now(UTC)
    assert is_valid(path, fields, secret=SECRET, now=moment + timedelta(minutes=119))
    assert not is_valid(path, fields, secret=SECRET, now=moment + timedelta(minutes=121))
    for other in ("https://elsewhere.invalid/files/a.safetensors", f"{BOOTH}/hooks/telegram", "nonsense"):
        assert outside.lend_url(other) == other
