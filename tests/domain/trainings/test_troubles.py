"""Trainings on a real darkroom that goes wrong: nothing is paid for what is no LoRA, and nothing is kept."""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import httpx
import pytest

from starbooth.base.database import Database
from starbooth.base.settings import read_settings
from starbooth.domain.crafts import all_crafts
from starbooth.domain.gallery.pictures import delete_doomed_files
from starbooth.domain.running.outside import Outside
from starbooth.domain.running.routing import Router
from starbooth.domain.running.sweep import sweep
from starbooth.domain.trainings.zips import take_back_zips
from starbooth.outside.engine.client import open_engines
from starbooth.outside.engine.contract import Engine
from tests.make.guests import make_guest, read_stars
from tests.make.orders import OrderRow, let_pass, read_order_row
from tests.make.pictures import make_picture
from tests.make.storage import MemoryStorage
from tests.make.trainings import make_photo_set, photo_key, place_training, read_rows
from tests.outside.servers import started

KEY = "trouble-key:trouble-secret"
PRICE, FUNDS = 24, 100


@pytest.fixture(scope="module")
def darkroom_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = str(tmp_path_factory.mktemp("darkroom"))
    arguments = ("--painter", "instant", "--folder", folder, "--faults")
    with started("starbooth.darkroom", *arguments, DARKROOM_KEY=KEY) as url:
        yield url


@pytest.fixture
async def engine(darkroom_url: str) -> AsyncIterator[Engine]:
    engine = next(iter(open_engines(read_settings(engine_url=darkroom_url, engine_key=KEY)).values()))
    yield engine
    await engine.aclose()


@pytest.fixture
async def admin(darkroom_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=darkroom_url, headers={"Authorization": f"Key {KEY}"}) as admin:
        yield admin
        (await admin.put("/darkroom/faults", json=[])).raise_for_status()


async def bought(admin: httpx.AsyncClient) -> int:
    return int((await admin.get("/darkroom/stats")).raise_for_status().json()["accepted"])


class Booth:
    """A guest, a training, and a worker that looks when it is told to."""

    def __init__(self, database: Database, engine: Engine) -> None:
        self.database, self.storage = database, MemoryStorage()
        self._outside = Outside(
            engines={engine.name: engine},
            router=Router([engine.name], slots=4, fresh_s=0.0),
            crafts=all_crafts(),
            storage=self.storage,
            hook_url=lambda engine, order_id, number: "http://127.0.0.1:9/hook",
            file_url=lambda key: f"https://booth.invalid/files/{key}",
        )

    async def order(self, *, photos: Mapping[int, bytes] | None = None) -> None:
        self.guest = await make_guest(self.database, stars=FUNDS)
        set_id = await make_photo_set(self.database, self.guest)
        for number in range(1, 5):
            usual = make_picture(width_px=256, height_px=256, kind="JPEG", colour=f"#{number}{number}0")
            self.storage.files[photo_key(set_id, number)] = (photos or {}).get(number, usual)
        self.order_id = (await place_training(self.database, self.guest, set_id)).order_id

    async def until_it_ends(self) -> OrderRow:
        for _ in range(100):
            await sweep(self.database, self._outside)
            order = await read_order_row(self.database, self.order_id)
            if order.state not in ("held", "running"):
                await take_back_zips(self.database, self._outside)
                await delete_doomed_files(self.database, self.storage, limit=9)
                return order
            await let_pass(self.database, 5)
        raise AssertionError("it did not end")

    @property
    def kept(self) -> list[str]:
        return [key for key in self.storage.files if key.startswith("models/")]


@pytest.fixture
def booth(database: Database, engine: Engine) -> Booth:
    return Booth(database, engine)


async def test_without_trouble_it_ends_well(booth: Booth) -> None:
    await booth.order()
    assert (await booth.until_it_ends()).state == "done"
    assert {key.rpartition(".")[2] for key in booth.kept} >= {"safetensors", "json"}
    assert await read_stars(booth.database, booth.guest) == (FUNDS - PRICE, PRICE, 0)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("pickle", "broken_lora"),
        ("wrong", "broken_lora"),
        ("broken", "broken_lora"),
        ("huge", "too_large"),
        ("wrong_config", "broken_lora"),
        ("expired", "engine_unavailable"),
    ],
)
async def test_files_that_are_none_are_not_kept_not_paid_and_not_bought_twice(
    booth: Booth, admin: httpx.AsyncClient, fault: str, code: str
) -> None:
    rule: dict[str, Any] = {"place": "training", "training": fault}
    (await admin.put("/darkroom/faults", json=[rule])).raise_for_status()
    before = await bought(admin)
    await booth.order()
    order = await booth.until_it_ends()
    assert (order.state, order.error_code, order.spent_stars) == ("failed", code, 0)
    assert await bought(admin) == before + 1
    assert booth.kept == []
    assert (await read_rows(booth.database, booth.order_id)).training["error"] == code
    assert await read_stars(booth.database, booth.guest) == (FUNDS, 0, 0)


@pytest.mark.parametrize("fault", ["error", "empty"])
async def test_a_run_that_breaks_down_is_tried_again_and_then_given_back(
    booth: Booth, admin: httpx.AsyncClient, fault: str
) -> None:
    (await admin.put("/darkroom/faults", json=[{"place": "training", "training": fault}])).raise_for_status()
    await booth.order()
    order = await booth.until_it_ends()
    assert (order.state, order.spent_stars) == ("failed", 0)
    assert booth.kept == []
    assert await read_stars(booth.database, booth.guest) == (FUNDS, 0, 0)


async def test_an_engine_that_reads_no_photo_in_the_zip_says_so(booth: Booth) -> None:
    await booth.order(photos={2: b"a text named .jpg"})
    order = await booth.until_it_ends()
    assert (order.state, order.spent_stars) == ("failed", 0)
    assert await read_stars(booth.database, booth.guest) == (FUNDS, 0, 0)
