"""A worker dies at any step of a training: another ends it, bought once, paid once, nothing left lying."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.gallery.pictures import delete_doomed_files
from starbooth.domain.orders import run as orders
from starbooth.domain.privacy.holdings import read_named
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.outside import Outside
from starbooth.domain.running.run import collect
from starbooth.domain.running.sweep import end_overdue, sweep
from starbooth.domain.trainings.zips import take_back_zips
from starbooth.outside.engine.contract import Order, Ticket
from tests.make.audits import assert_accounts_are_true
from tests.make.engine import MemoryEngine
from tests.make.guests import make_guest, read_stars
from tests.make.orders import let_pass, make_outside, read_order_row
from tests.make.storage import MemoryStorage
from tests.make.trainings import make_photo_set, make_sample, make_weights, place_training, read_rows

PRICE, FUNDS = 24, 100


class Killed(BaseException):
    """What the process does not survive."""


@dataclass
class MortalEngine(MemoryEngine):
    """dies_after: the call after which, once, the worker is dead."""

    dies_after: str = ""

    def _die(self, call: str) -> None:
        if self.dies_after == call:
            self.dies_after = ""
            raise Killed

    async def upload(self, body: bytes, content_type: str, *, lifetime_s: int) -> str:
        url = await super().upload(body, content_type, lifetime_s=lifetime_s)
        self._die("upload")
        return url

    async def submit(
        self, endpoint: str, order: Order, *, request_key: str, webhook_url: str | None
    ) -> Ticket:
        ticket = await super().submit(endpoint, order, request_key=request_key, webhook_url=webhook_url)
        self._die("submit")
        return ticket

    async def fetch(self, url: str, *, limit_bytes: int) -> bytes:
        body = await super().fetch(url, limit_bytes=limit_bytes)
        self._die(f"fetch {Path(url).suffix}")
        return body


@dataclass
class MortalStorage(MemoryStorage):
    """dies_after: the kind of file after whose storing, once, the worker is dead."""

    dies_after: str = ""

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        await super().put(key, body, content_type)
        if self.dies_after and key.endswith(self.dies_after) and key.startswith("models/"):
            self.dies_after = ""
            raise Killed


async def look(database: Database, outside: Outside) -> None:
    """A worker looks at everything, and may die of it."""
    await let_pass(database, 30)
    try:
        await sweep(database, outside)
    except Killed:
        await let_pass(database, 30)
        await sweep(database, outside)


async def until_all_is_quiet(database: Database, outside: Outside, storage: MemoryStorage) -> None:
    for _ in range(3):
        await look(database, outside)
    await let_pass_for_files(database)
    await take_back_zips(database, outside)
    await delete_doomed_files(database, storage, limit=99)


async def let_pass_for_files(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE starbooth.doomed_files SET due_at = now() - interval '1 minute'"))


async def named(database: Database) -> set[str]:
    async with database.transaction() as tx:
        return {each.key async for each in read_named(tx)}


STAGES = (
    *("upload", "submit", "fetch .png", "fetch .safetensors", "fetch .json"),
    *("put .jpg", "put .safetensors", "put .json"),
)


class TestOneDeath:
    @pytest.mark.parametrize("stage", STAGES)
    async def test_is_survived(self, database: Database, stage: str) -> None:
        engine, storage = MortalEngine(), MortalStorage()
        outside = make_outside(engine, storage)
        guest = await make_guest(database, stars=FUNDS)
        placed = await place_training(database, guest, await make_photo_set(database, guest, storage))
        if stage.startswith("put "):
            storage.dies_after = stage.removeprefix("put ")
        else:
            engine.dies_after = stage
        try:
            await start_orders(database, outside)
        except Killed:
            await look(database, outside)
        engine.train(0, 50, preview=make_sample())
        await look(database, outside)
        engine.finish_training(0, make_weights())
        await until_all_is_quiet(database, outside, storage)
        assert (engine.dies_after, storage.dies_after) == ("", "")
        assert (await read_order_row(database, placed.order_id)).state == "done"
        assert (await read_rows(database, placed.order_id)).lora["status"] == "COMPLETED"
        assert len(engine.purchases) == 1
        assert await read_stars(database, guest) == (FUNDS - PRICE, PRICE, 0)
        assert set(storage.files) == await named(database)
        # What was uploaded without a word of it expires by itself.
        assert len(engine.deleted_uploads) >= len(engine.uploads) - (stage == "upload")
        await assert_accounts_are_true(database)

    @pytest.mark.parametrize("stage", ["fetch .png", "put .jpg", "put .safetensors", "put .json"])
    async def test_and_a_failure_after_it_leaves_nothing_lying(self, database: Database, stage: str) -> None:
        engine, storage = MortalEngine(), MortalStorage()
        outside = make_outside(engine, storage)
        guest = await make_guest(database, stars=FUNDS)
        placed = await place_training(database, guest, await make_photo_set(database, guest, storage))
        if stage.startswith("put "):
            storage.dies_after = stage.removeprefix("put ")
        else:
            engine.dies_after = stage
        await start_orders(database, outside)
        engine.train(0, 50, preview=make_sample())
        await look(database, outside)
        engine.finish_training(0, make_weights())
        if stage != "fetch .png" and stage != "put .jpg":
            await let_pass(database, 30)
            with pytest.raises(Killed):
                await sweep(database, outside)
        await let_pass(database, 7 * 3600)
        await end_overdue(database, outside)
        await until_all_is_quiet(database, outside, storage)
        assert (await read_order_row(database, placed.order_id)).error_code == "deadline"
        assert set(storage.files) == await named(database)
        assert not [key for key in storage.files if key.startswith("models/")]
        assert await read_stars(database, guest) == (FUNDS, 0, 0)


class TestAnEngineThatKnowsNoRepeats:
    async def test_is_adopted_by_its_webhook_and_not_asked_twice(self, database: Database) -> None:
        engine = MortalEngine(name="fal", is_deduplicating=False, can_stop_early=False, dies_after="submit")
        storage = MemoryStorage()
        outside = make_outside(engine, storage)
        guest = await make_guest(database, stars=FUNDS)
        placed = await place_training(database, guest, await make_photo_set(database, guest, storage))
        with pytest.raises(Killed):
            await start_orders(database, outside)
        await let_pass(database, 60)
        await sweep(database, outside)
        assert len(engine.purchases) == 1
        result = engine.finish_training(0, make_weights())  # while nobody here knew of it
        async with database.transaction() as tx:
            assert await orders.note_sent(
                tx, order_id=placed.order_id, number=0, engine="fal", request_id="fal-0"
            )
        await collect(database, outside, order_id=placed.order_id, number=0, result=result)
        assert (await read_order_row(database, placed.order_id)).state == "done"
        assert await read_stars(database, guest) == (FUNDS - PRICE, PRICE, 0)

    async def test_gives_everything_back_where_no_word_comes(self, database: Database) -> None:
        engine = MortalEngine(name="fal", is_deduplicating=False, can_stop_early=False, dies_after="submit")
        storage = MemoryStorage()
        outside = make_outside(engine, storage)
        guest = await make_guest(database, stars=FUNDS)
        placed = await place_training(database, guest, await make_photo_set(database, guest, storage))
        with pytest.raises(Killed):
            await start_orders(database, outside)
        await let_pass(database, 200)
        await sweep(database, outside)
        order = await read_order_row(database, placed.order_id)
        assert (order.state, order.error_code, order.spent_stars) == ("failed", "engine_silent", 0)
        assert len(engine.purchases) == 1
        assert await read_stars(database, guest) == (FUNDS, 0, 0)
