"""Running an order on an engine that does everything an engine can do wrong."""

import asyncio
import io
import zlib
from datetime import timedelta

import pytest
from PIL import Image

from starbooth.base.database import Database
from starbooth.domain.gallery.pictures import delete_doomed_files, delete_picture
from starbooth.domain.generations.picture import LARGEST_PICTURE_BYTES
from starbooth.domain.orders import run as orders
from starbooth.domain.orders.read import read_order
from starbooth.domain.orders.run import TicketRow, read_tickets
from starbooth.domain.pictures.marking import read_mark
from starbooth.domain.pictures.recipe import Recipe
from starbooth.domain.running.buying import start_orders
from starbooth.domain.running.keeping import keep
from starbooth.domain.running.outside import Outside, engine_ticket
from starbooth.domain.running.run import check_order, collect
from starbooth.domain.running.sweep import end_overdue, stop_abandoned, sweep
from starbooth.outside.engine.contract import EngineRefused, EngineUnavailable
from starbooth.outside.storage.contract import StorageUnavailable
from tests.make.audits import assert_accounts_are_true
from tests.make.engine import MemoryEngine
from tests.make.guests import make_guest, read_stars
from tests.make.orders import let_pass, make_outside, place_pictures, read_order_row, read_pictures
from tests.make.pictures import make_picture
from tests.make.storage import MemoryStorage

STARS = 20
LONG = 70  # seconds: longer than any pause between two looks


@pytest.fixture
def engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


@pytest.fixture
def outside(engine: MemoryEngine, storage: MemoryStorage) -> Outside:
    return make_outside(engine, storage)


@pytest.fixture
async def guest(database: Database) -> str:
    return await make_guest(database, stars=STARS)


async def start(database: Database, outside: Outside, guest: str, *, pictures: int = 1) -> str:
    """Place an order and have it bought."""
    placed = await place_pictures(database, guest, pictures=pictures)
    assert await start_orders(database, outside) == 1
    return placed.order_id


async def look_again(database: Database, outside: Outside, *, times: int = 1) -> None:
    """Let so much time pass that every running order is due, and sweep."""
    for _ in range(times):
        await let_pass(database, LONG)
        await sweep(database, outside)


async def assert_failed_and_refunded(database: Database, order_id: str, guest: str, code: str) -> None:
    row = await read_order_row(database, order_id)
    assert (row.state, row.error_code, row.spent_stars) == ("failed", code, 0)
    assert await read_stars(database, guest) == (STARS, 0, 0)
    assert await read_pictures(database, order_id) == []
    await assert_accounts_are_true(database)


class TestTheStraightWay:
    async def test_a_picture_is_bought_kept_recorded_and_paid(
        self, database: Database, outside: Outside, engine: MemoryEngine, storage: MemoryStorage, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        [bought] = engine.purchases
        assert bought.endpoint == "fal-ai/flux/dev"
        assert (bought.order.prompt, bought.order.seed, bought.order.count) == ("a red boat", 7, 1)
        assert bought.webhook_url == f"https://booth.invalid/memory/{order_id}/0"
        engine.finish(0, make_picture(width_px=32, height_px=24))
        await look_again(database, outside)
        file_key = f"pictures/{order_id}/0.png"
        assert sorted(storage.files) == [file_key, f"thumbnails/{order_id}/0.jpg"]
        [picture] = await read_pictures(database, order_id)
        assert picture["imageUrl"] == f"https://booth.invalid/files/{file_key}"
        assert (picture["userId"], picture["prompt"], picture["seed"]) == (guest, "a red boat", 7)
        assert (picture["starsUsed"], picture["loraId"]) == (3, None)
        assert picture["metadata"]["width_px"] == 32
        assert picture["metadata"]["height_px"] == 24
        assert await read_stars(database, guest) == (STARS - 3, 3, 0)
        row = await read_order_row(database, order_id)
        assert (row.state, row.progress, row.tickets) == ("done", 1.0, (("done", None),))
        await assert_accounts_are_true(database)

    async def test_what_is_kept_says_that_a_model_made_it_and_how(
        self, database: Database, outside: Outside, engine: MemoryEngine, storage: MemoryStorage, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.finish(0, make_picture(width_px=640, height_px=480))
        await look_again(database, outside)
        [bought], [picture] = engine.purchases, await read_pictures(database, order_id)
        kept = storage.files[f"pictures/{order_id}/0.png"]
        assert read_mark(kept) == Recipe(
            prompt="a red boat",
            model=picture["metadata"]["model_name"],
            seed=7,
            steps=bought.order.steps,
            guidance=bought.order.guidance,
        )
        assert picture["metadata"]["bytes"] == len(kept)
        small = Image.open(io.BytesIO(storage.files[f"thumbnails/{order_id}/0.jpg"]))
        assert (small.format, small.size) == ("JPEG", (320, 240))

    async def test_a_kill_between_the_files_and_the_record_is_harmless(
        self, database: Database, outside: Outside, engine: MemoryEngine, storage: MemoryStorage, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.finish(0)
        storage.next_puts.append(StorageUnavailable("killed after one of the two"))
        await look_again(database, outside)
        assert len(storage.files) == 1
        assert await read_pictures(database, order_id) == []
        await look_again(database, outside)
        assert len(storage.files) == 2
        assert len(await read_pictures(database, order_id)) == 1
        await assert_accounts_are_true(database)

    async def test_what_it_cost_the_operator_is_noted_exactly(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest, pictures=2)
        engine.finish(0)
        await look_again(database, outside)
        engine.cost = None  # an endpoint of which no price is known
        engine.finish(1)
        await look_again(database, outside)
        noted = [each["metadata"]["cost_usd"] for each in await read_pictures(database, order_id)]
        assert noted == ["0.025", None]

    async def test_progress_is_told_on_the_way(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.work(0, 0.4)
        await look_again(database, outside)
        assert (await read_order_row(database, order_id)).progress == 0.4
        engine.work(0, None)
        await look_again(database, outside)
        assert (await read_order_row(database, order_id)).progress == 0.4

    async def test_of_two_pictures_the_first_is_half_of_the_way(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest, pictures=2)
        engine.work(0, 0.5)
        await look_again(database, outside)
        assert (await read_order_row(database, order_id)).progress == 0.25
        engine.finish(0)
        await look_again(database, outside)
        async with database.transaction() as tx:
            view = await read_order(tx, order_id, slots=4)
        assert view is not None
        assert view.progress == 0.5  # although nobody has told how far the second one is
        engine.work(1, 0.5)
        await look_again(database, outside)
        assert (await read_order_row(database, order_id)).progress == 0.75

    async def test_of_four_pictures_three_that_came_are_paid_and_add_up(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest, pictures=4)
        for number in (0, 1, 3):
            engine.finish(number)
        engine.refuse(2, EngineRefused("content_policy_violation"))
        await look_again(database, outside)
        row = await read_order_row(database, order_id)
        assert (row.state, row.spent_stars, row.error_code) == ("done", 9, "content_policy_violation")
        pictures = await read_pictures(database, order_id)
        assert [each["seed"] for each in pictures] == [7, 8, 10]
        assert sum(each["starsUsed"] for each in pictures) == 9
        assert await read_stars(database, guest) == (STARS - 9, 9, 0)
        await assert_accounts_are_true(database)

    async def test_no_more_orders_are_bought_than_there_are_slots(
        self, database: Database, engine: MemoryEngine, guest: str
    ) -> None:
        outside = make_outside(engine, slots=1)
        for _ in range(2):
            await place_pictures(database, guest)
        assert await start_orders(database, outside) == 1
        assert await start_orders(database, outside) == 0
        engine.finish(0)
        await look_again(database, outside)
        assert len(engine.purchases) == 2


class TestBuying:
    async def test_a_refusal_fails_and_refunds_at_once(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        engine.next_submits.append(EngineRefused("invalid_input", "guidance_scale"))
        order_id = await start(database, outside, guest)
        await assert_failed_and_refunded(database, order_id, guest, "invalid_input")

    async def test_an_engine_that_is_down_for_a_while_is_asked_again(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        engine.next_submits.extend([EngineUnavailable("unreachable")] * 2)
        order_id = await start(database, outside, guest)
        assert (await read_order_row(database, order_id)).tickets == (("unsent", None),)
        await look_again(database, outside, times=2)
        assert (await read_order_row(database, order_id)).tickets == (("sent", None),)
        assert len(engine.purchases) == 1

    async def test_an_engine_that_stays_down_is_left_in_peace_and_refunded_at_the_deadline(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        engine.next_submits.extend([EngineUnavailable("exhausted_balance", alarms=True)] * 50)
        order_id = await start(database, outside, guest)
        await look_again(database, outside, times=12)
        assert (await read_order_row(database, order_id)).state == "running"
        assert 2 <= engine.submit_calls <= 8  # the pause between two probes doubles
        await let_pass(database, 60)
        await end_overdue(database, outside)
        await assert_failed_and_refunded(database, order_id, guest, "deadline")
        assert engine.purchases == []

    async def test_an_engine_that_asks_for_patience_gets_it(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        engine.next_submits.append(EngineUnavailable("rate_limited", retry_after_s=30))
        await start(database, outside, guest)
        await let_pass(database, 25)
        await sweep(database, outside)
        assert engine.submit_calls == 1
        await let_pass(database, 6)
        await sweep(database, outside)
        assert engine.submit_calls == 2

    async def test_a_lost_answer_of_an_engine_that_knows_repeats_is_asked_for_again(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        engine.next_submits.append(EngineUnavailable("dropped", may_have_bought=True))
        order_id = await start(database, outside, guest)
        await look_again(database, outside)
        assert len(engine.purchases) == 1
        assert engine.submit_calls == 2
        engine.finish(0)
        await look_again(database, outside)
        assert (await read_order_row(database, order_id)).state == "done"

    async def test_a_worker_killed_while_buying_leaves_an_order_that_another_finishes(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        placed = await place_pictures(database, guest)
        async with database.transaction() as tx:
            [doomed] = await orders.claim_next(tx, slots=1, check_in=timedelta(seconds=10))
            assert await orders.note_sending(tx, doomed, 0, seen="unsent", engine="memory")
        await look_again(database, outside)
        engine.finish(0)
        await look_again(database, outside)
        assert (await read_order_row(database, placed.order_id)).state == "done"
        assert len(engine.purchases) == 1


class TestAnEngineThatCannotTellARepeat:
    @pytest.fixture
    def engine(self) -> MemoryEngine:
        return MemoryEngine(is_deduplicating=False)

    async def test_after_a_lost_answer_it_is_never_bought_from_again(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        engine.next_submits.append(EngineUnavailable("dropped", may_have_bought=True))
        order_id = await start(database, outside, guest)
        assert (await read_order_row(database, order_id)).tickets == (("sending", None),)
        await look_again(database, outside)
        assert (await read_order_row(database, order_id)).tickets == (("sending", None),)
        await look_again(database, outside, times=2)
        assert engine.submit_calls == 1
        await assert_failed_and_refunded(database, order_id, guest, "engine_silent")

    async def test_its_webhook_brings_the_picture_all_the_same(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        engine.next_submits.append(EngineUnavailable("dropped", may_have_bought=True))
        order_id = await start(database, outside, guest)
        engine.finish(0)
        async with database.transaction() as tx:  # what the door does with a webhook
            assert await orders.note_sent(
                tx,
                order_id=order_id,
                number=0,
                engine="memory",
                request_id=engine.purchases[0].request_id,
            )
        await collect(database, outside, order_id=order_id, number=0, result=None)
        assert (await read_order_row(database, order_id)).state == "done"
        assert await read_stars(database, guest) == (STARS - 3, 3, 0)
        assert engine.submit_calls == 1

    async def test_an_answer_that_certainly_came_before_the_purchase_may_be_repeated(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        engine.next_submits.append(EngineUnavailable("unreachable"))
        await start(database, outside, guest)
        await look_again(database, outside)
        assert (engine.submit_calls, len(engine.purchases)) == (2, 1)

    async def test_a_worker_killed_while_buying_is_not_repeated_either(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        placed = await place_pictures(database, guest)
        async with database.transaction() as tx:
            [doomed] = await orders.claim_next(tx, slots=1, check_in=timedelta(seconds=10))
            assert await orders.note_sending(tx, doomed, 0, seen="unsent", engine="memory")
        await look_again(database, outside, times=3)
        assert engine.submit_calls == 0
        await assert_failed_and_refunded(database, placed.order_id, guest, "engine_silent")

    async def test_eight_workers_at_one_due_order_buy_once(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        placed = await place_pictures(database, guest)
        async with database.transaction() as tx:
            await orders.claim_next(tx, slots=1, check_in=timedelta(seconds=0))
        await asyncio.gather(*(check_order(database, outside, placed.order_id) for _ in range(8)))
        assert engine.submit_calls == 1


class TestWatching:
    async def test_a_refusal_after_the_work_fails_and_refunds(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.refuse(0, EngineRefused("content_policy_violation", "nsfw"))
        await look_again(database, outside)
        await assert_failed_and_refunded(database, order_id, guest, "content_policy_violation")

    async def test_a_ticket_that_the_engine_lost_fails_and_refunds(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.forget(0)
        await look_again(database, outside)
        await assert_failed_and_refunded(database, order_id, guest, "ticket_lost")
        assert engine.submit_calls == 1

    async def test_an_engine_out_of_reach_has_until_the_deadline(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.next_statuses.extend([EngineUnavailable("unreachable")] * 11)
        await look_again(database, outside, times=11)
        assert (await read_order_row(database, order_id)).state == "running"
        engine.finish(0)
        await look_again(database, outside)
        assert (await read_order_row(database, order_id)).state == "done"

    @pytest.mark.parametrize("cause", ["http_500", "rubbish", "unauthorised"])
    async def test_an_engine_that_answers_badly_has_a_few_tries(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str, cause: str
    ) -> None:
        placed = await place_pictures(database, guest, deadline=timedelta(hours=20))
        await start_orders(database, outside)
        engine.next_statuses.extend([EngineUnavailable(cause)] * 50)
        await look_again(database, outside, times=15)
        await assert_failed_and_refunded(database, placed.order_id, guest, "engine_unavailable")

    async def test_a_few_bad_answers_do_no_harm(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.finish(0)
        engine.next_statuses.append(EngineUnavailable("http_500"))
        engine.next_results.append(EngineUnavailable("rubbish"))
        engine.next_fetches.append(EngineUnavailable("timed_out"))
        await look_again(database, outside, times=4)
        assert (await read_order_row(database, order_id)).state == "done"


def make_png_claiming(width_px: int, height_px: int) -> bytes:
    """A small file that says it is a huge picture."""
    head = width_px.to_bytes(4, "big") + height_px.to_bytes(4, "big") + bytes([8, 2, 0, 0, 0])
    chunk = b"IHDR" + head
    crc = zlib.crc32(chunk).to_bytes(4, "big")
    return b"\x89PNG\r\n\x1a\n" + len(head).to_bytes(4, "big") + chunk + crc


class TestKeeping:
    async def test_a_picture_that_came_a_moment_too_late_leaves_no_file_behind(
        self, database: Database, storage: MemoryStorage, guest: str
    ) -> None:
        class SlowEngine(MemoryEngine):
            async def fetch(self, url: str, *, limit_bytes: int) -> bytes:
                await let_pass(database, 16 * 60)
                await end_overdue(database, booth)
                return await super().fetch(url, limit_bytes=limit_bytes)

        engine = SlowEngine()
        booth = make_outside(engine, storage)
        order_id = await start(database, booth, guest)
        engine.finish(0)
        await look_again(database, booth)
        await assert_failed_and_refunded(database, order_id, guest, "deadline")
        assert storage.files == {}

    async def test_no_picture_in_the_result_fails_and_refunds(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.finish_with(0, ())
        await look_again(database, outside)
        await assert_failed_and_refunded(database, order_id, guest, "no_picture")

    async def test_a_blacked_out_picture_fails_and_refunds(
        self, database: Database, outside: Outside, engine: MemoryEngine, storage: MemoryStorage, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.finish(0, is_withheld=True)
        await look_again(database, outside)
        await assert_failed_and_refunded(database, order_id, guest, "content_policy_violation")
        assert storage.files == {}

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"<html>504</html>",
            make_picture()[:-20],
            make_picture(kind="GIF"),
            make_picture(kind="BMP"),
            make_png_claiming(8000, 5001),
            make_png_claiming(60_000, 60_000),
        ],
        ids=["empty", "html", "cut", "gif", "bmp", "forty-megapixels", "bomb"],
    )
    async def test_bytes_that_are_no_picture_we_take_fail_and_refund(
        self,
        database: Database,
        outside: Outside,
        engine: MemoryEngine,
        storage: MemoryStorage,
        guest: str,
        body: bytes,
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.finish(0, body)
        await look_again(database, outside)
        await assert_failed_and_refunded(database, order_id, guest, "broken_picture")
        assert storage.files == {}

    async def test_a_file_beyond_the_limit_fails_and_refunds(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.finish(0, bytes(LARGEST_PICTURE_BYTES + 1))
        await look_again(database, outside)
        await assert_failed_and_refunded(database, order_id, guest, "too_large")

    @pytest.mark.parametrize(("kind", "extension"), [("JPEG", "jpg"), ("WEBP", "webp"), ("PNG", "png")])
    async def test_the_bytes_tell_the_kind_and_not_the_address(
        self,
        database: Database,
        outside: Outside,
        engine: MemoryEngine,
        storage: MemoryStorage,
        guest: str,
        kind: str,
        extension: str,
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.finish(0, make_picture(kind=kind))
        await look_again(database, outside)
        assert sorted(storage.files) == [f"pictures/{order_id}/0.{extension}", f"thumbnails/{order_id}/0.jpg"]

    async def test_storage_that_is_down_for_a_while_costs_nothing_but_time(
        self, database: Database, outside: Outside, engine: MemoryEngine, storage: MemoryStorage, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.finish(0)
        storage.next_puts.extend([StorageUnavailable("the bucket is away")] * 20)  # a picture is two files
        await look_again(database, outside, times=10)
        assert (await read_order_row(database, order_id)).state == "running"
        await look_again(database, outside)
        assert (await read_order_row(database, order_id)).state == "done"
        assert engine.submit_calls == 1
        assert await read_stars(database, guest) == (STARS - 3, 3, 0)


class TestLateKeepers:
    """Whoever comes too late with a file takes back what it stored, and nothing of what others did."""

    async def bought(self, database: Database, order_id: str) -> TicketRow:
        async with database.transaction() as tx:
            [ticket] = await read_tickets(tx, order_id)
        return ticket

    async def test_a_picture_of_another_kind_that_was_quicker_has_its_own_thumbnail(
        self, database: Database, outside: Outside, engine: MemoryEngine, storage: MemoryStorage, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        ticket = await self.bought(database, order_id)
        engine.finish(0, make_picture(width_px=32, height_px=64))
        await look_again(database, outside)
        small_key = f"thumbnails/{order_id}/0.jpg"
        before = dict(storage.files)
        late = engine.finish(0, make_picture(kind="JPEG", width_px=64, height_px=32))
        await keep(database, outside, engine, ticket, late)
        assert storage.files == before
        assert Image.open(io.BytesIO(storage.files[small_key])).size == (32, 64)

    async def test_a_picture_that_its_guest_has_deleted_stays_deleted(
        self, database: Database, outside: Outside, engine: MemoryEngine, storage: MemoryStorage, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        ticket = await self.bought(database, order_id)
        engine.finish(0)
        await look_again(database, outside)
        [picture] = await read_pictures(database, order_id)
        async with database.transaction() as tx:
            await delete_picture(tx, picture["id"], user_id=guest)
        await delete_doomed_files(database, storage, limit=10)
        await keep(database, outside, engine, ticket, await engine.result(engine_ticket(ticket)))
        assert storage.files == {}

    async def test_the_same_file_kept_twice_is_there_once(
        self, database: Database, outside: Outside, engine: MemoryEngine, storage: MemoryStorage, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        ticket = await self.bought(database, order_id)
        engine.finish(0)
        await look_again(database, outside)
        before = dict(storage.files)
        await keep(database, outside, engine, ticket, await engine.result(engine_ticket(ticket)))
        assert storage.files == before
        assert len(await read_pictures(database, order_id)) == 1


class TestCollect:
    async def test_what_the_webhook_says_is_kept_without_asking_again(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        result = engine.finish(0)
        engine.next_results.append(EngineUnavailable("http_500"))
        await collect(database, outside, order_id=order_id, number=0, result=result)
        assert (await read_order_row(database, order_id)).state == "done"

    async def test_twice_and_at_once_with_the_poll_is_once(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        result = engine.finish(0)
        await let_pass(database, LONG)
        await asyncio.gather(
            *(collect(database, outside, order_id=order_id, number=0, result=result) for _ in range(3)),
            check_order(database, outside, order_id),
        )
        await collect(database, outside, order_id=order_id, number=0, result=None)
        assert len(await read_pictures(database, order_id)) == 1
        assert await read_stars(database, guest) == (STARS - 3, 3, 0)
        await assert_accounts_are_true(database)

    async def test_before_the_ticket_is_stored_it_waits_for_the_poll(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        placed = await place_pictures(database, guest)
        await collect(database, outside, order_id=placed.order_id, number=0, result=None)
        assert (await read_order_row(database, placed.order_id)).state == "held"
        await start_orders(database, outside)
        engine.finish(0)
        await look_again(database, outside)
        assert (await read_order_row(database, placed.order_id)).state == "done"

    async def test_of_an_order_or_ticket_that_never_was_is_nothing(
        self, database: Database, outside: Outside, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        await collect(database, outside, order_id="nothing", number=0, result=None)
        await collect(database, outside, order_id=order_id, number=9, result=None)
        assert (await read_order_row(database, order_id)).state == "running"

    async def test_a_refusal_by_webhook_fails_and_refunds(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.refuse(0, EngineRefused("content_policy_violation"))
        await collect(database, outside, order_id=order_id, number=0, result=None)
        await assert_failed_and_refunded(database, order_id, guest, "content_policy_violation")

    async def test_an_engine_or_storage_in_trouble_leaves_it_to_the_sweep(
        self, database: Database, outside: Outside, engine: MemoryEngine, storage: MemoryStorage, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        engine.finish(0)
        engine.next_results.append(EngineUnavailable("http_500"))
        storage.next_puts.append(StorageUnavailable("the bucket is away"))
        for _ in range(2):
            await collect(database, outside, order_id=order_id, number=0, result=None)
            assert (await read_order_row(database, order_id)).state == "running"
        await look_again(database, outside)
        assert (await read_order_row(database, order_id)).state == "done"


class TestDeadline:
    async def test_a_silent_engine_is_refunded_at_the_deadline_and_told_to_stop(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        await let_pass(database, 16 * 60)
        await end_overdue(database, outside)
        await stop_abandoned(database, outside)
        await assert_failed_and_refunded(database, order_id, guest, "deadline")
        assert engine.cancelled == [engine.purchases[0].request_id]

    async def test_pictures_that_came_in_time_are_paid_and_shown(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest, pictures=2)
        engine.finish(1)
        await look_again(database, outside)
        await let_pass(database, 16 * 60)
        await end_overdue(database, outside)
        row = await read_order_row(database, order_id)
        assert (row.state, row.spent_stars, row.error_code) == ("done", 3, "deadline")
        assert [each["seed"] for each in await read_pictures(database, order_id)] == [8]
        await stop_abandoned(database, outside)
        assert engine.cancelled == [engine.purchases[0].request_id]
        await assert_accounts_are_true(database)

    async def test_an_order_that_never_got_a_turn_is_refunded_too(
        self, database: Database, outside: Outside, guest: str
    ) -> None:
        placed = await place_pictures(database, guest)
        await let_pass(database, 16 * 60)
        await sweep(database, outside)
        await end_overdue(database, outside)
        await assert_failed_and_refunded(database, placed.order_id, guest, "deadline")

    async def test_a_picture_that_comes_after_it_changes_nothing(
        self, database: Database, outside: Outside, engine: MemoryEngine, guest: str
    ) -> None:
        order_id = await start(database, outside, guest)
        await let_pass(database, 16 * 60)
        await end_overdue(database, outside)
        result = engine.finish(0)
        await collect(database, outside, order_id=order_id, number=0, result=result)
        await check_order(database, outside, order_id)
        await end_overdue(database, outside)
        await stop_abandoned(database, outside)
        await assert_failed_and_refunded(database, order_id, guest, "deadline")
        assert engine.cancelled == [engine.purchases[0].request_id]

    async def test_an_engine_that_does_not_hear_us_stop_it_does_not_keep_the_stars(
        self, database: Database, storage: MemoryStorage, guest: str
    ) -> None:
        class DeafEngine(MemoryEngine):
            async def cancel(self, ticket: object) -> None:
                raise EngineUnavailable("unreachable")

        outside = make_outside(DeafEngine(), storage)
        order_id = await start(database, outside, guest)
        await let_pass(database, 16 * 60)
        await end_overdue(database, outside)
        await assert_failed_and_refunded(database, order_id, guest, "deadline")
