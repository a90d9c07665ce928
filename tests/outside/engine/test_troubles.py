"""Every error that fal is known for, asked of a real darkroom: each is tried again, refused, or alarms."""

import dataclasses
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx
import pytest

from starbooth.base.settings import read_settings
from starbooth.darkroom.troubles import Trouble, answer_of
from starbooth.domain.generations.picture import BrokenPicture, examine
from starbooth.outside.engine.client import FalEngine, open_engines
from starbooth.outside.engine.contract import (
    Engine,
    EngineRefused,
    EngineUnavailable,
    FileGone,
    Finished,
    PaintOrder,
    RunFailed,
    Ticket,
    TicketLost,
)
from tests.outside.engine.test_darkroom import KEY, finished
from tests.outside.servers import started

ENDPOINT = "fal-ai/flux/dev"

# The operator must act: nothing can be bought here until then.
ALARMS = {
    Trouble.UNAUTHORISED: "unauthorised",
    Trouble.EXHAUSTED_BALANCE: "exhausted_balance",
    Trouble.ADMIN_LOCK: "exhausted_balance",
    Trouble.TOP_UP: "exhausted_balance",
}
# Later, or another engine, may do it.
PASSES = {
    Trouble.RATE_LIMITED: "rate_limited",
    Trouble.NGINX_502: "http_502",
    Trouble.NGINX_503: "http_503",
    Trouble.NGINX_504: "http_504",
    Trouble.WRONG_PAGE: "rubbish",
    Trouble.START_TIMEOUT: "start_timeout",
    **{
        trouble: trouble.value
        for trouble in (
            Trouble.REQUEST_TIMEOUT,
            Trouble.STARTUP_TIMEOUT,
            Trouble.RUNNER_SCHEDULING_FAILURE,
            Trouble.RUNNER_CONNECTION_TIMEOUT,
            Trouble.RUNNER_DISCONNECTED,
            Trouble.RUNNER_CONNECTION_REFUSED,
            Trouble.RUNNER_CONNECTION_ERROR,
            Trouble.RUNNER_INCOMPLETE_RESPONSE,
            Trouble.RUNNER_SERVER_ERROR,
            Trouble.CLIENT_DISCONNECTED,
            Trouble.INTERNAL_ERROR,
            Trouble.INTERNAL_SERVER_ERROR,
            Trouble.GENERATION_TIMEOUT,
            Trouble.DOWNSTREAM_SERVICE_ERROR,
            Trouble.DOWNSTREAM_SERVICE_UNAVAILABLE,
        )
    },
}
# Final: the same order would be refused again.
REFUSALS = {
    Trouble.CLIENT_CANCELLED: "cancelled",
    Trouble.BAD_REQUEST: "bad_request",
    Trouble.MISSING: "invalid_input",
    Trouble.LESS_THAN_EQUAL: "invalid_input",
    Trouble.POLICY_IN_WORDS: "content_policy_violation",
    **{
        trouble: trouble.value
        for trouble in (
            Trouble.CONTENT_POLICY_VIOLATION,
            Trouble.NO_MEDIA_GENERATED,
            Trouble.IMAGE_TOO_SMALL,
            Trouble.IMAGE_TOO_LARGE,
            Trouble.IMAGE_LOAD_ERROR,
            Trouble.FILE_DOWNLOAD_ERROR,
            Trouble.FACE_DETECTION_ERROR,
            Trouble.FILE_TOO_LARGE,
            Trouble.UNSUPPORTED_IMAGE_FORMAT,
            Trouble.FEATURE_NOT_SUPPORTED,
        )
    },
}
MAY_HAVE_BOUGHT = {Trouble.WRONG_PAGE} | {
    trouble for trouble in Trouble if answer_of(trouble).status in (502, 504)
} - {Trouble.START_TIMEOUT}


@pytest.fixture(scope="module")
def darkroom_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = str(tmp_path_factory.mktemp("troubled"))
    arguments = ("--painter", "instant", "--folder", folder, "--faults")
    with started("starbooth.darkroom", *arguments, DARKROOM_KEY=KEY) as url:
        yield url


@pytest.fixture
async def engine(darkroom_url: str) -> AsyncIterator[Engine]:
    (engine,) = open_engines(read_settings(engine_url=darkroom_url, engine_key=KEY)).values()
    yield engine
    await engine.aclose()


@pytest.fixture
async def admin(darkroom_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=darkroom_url, headers={"Authorization": f"Key {KEY}"}) as admin:
        yield admin
        (await admin.put("/darkroom/faults", json=[])).raise_for_status()


async def strike(admin: httpx.AsyncClient, **rule: Any) -> None:
    """Set one rule that strikes once."""
    (await admin.put("/darkroom/faults", json=[{"times": 1, **rule}])).raise_for_status()


async def bought(engine: Engine, order: PaintOrder, key: str) -> Ticket:
    return await engine.submit(ENDPOINT, order, request_key=key, webhook_url=None)


class TestEveryTrouble:
    def test_none_is_left_out(self) -> None:
        assert {*ALARMS, *PASSES, *REFUSALS, Trouble.PATH_NOT_FOUND} == set(Trouble)

    @pytest.mark.parametrize("trouble", [*ALARMS, *PASSES])
    async def test_alarms_and_what_passes_at_submit_and_at_result(
        self, engine: Engine, admin: httpx.AsyncClient, paint: PaintOrder, trouble: Trouble
    ) -> None:
        ticket = await bought(engine, paint, f"before {trouble}")
        await finished(engine, ticket)
        await strike(admin, place="submit", error=trouble)
        with pytest.raises(EngineUnavailable) as at_submit:
            await bought(engine, paint, f"during {trouble}")
        await strike(admin, place="result", error=trouble)
        with pytest.raises(EngineUnavailable) as at_result:
            await engine.result(ticket)
        for failed in (at_submit.value, at_result.value):
            assert failed.cause == {**ALARMS, **PASSES}[trouble]
            assert failed.alarms is (trouble in ALARMS)
        assert at_submit.value.may_have_bought is (trouble in MAY_HAVE_BOUGHT)
        assert not at_result.value.may_have_bought

    @pytest.mark.parametrize("trouble", REFUSALS)
    async def test_refusals_at_submit_and_at_result(
        self, engine: Engine, admin: httpx.AsyncClient, paint: PaintOrder, trouble: Trouble
    ) -> None:
        ticket = await bought(engine, paint, f"before {trouble}")
        await finished(engine, ticket)
        await strike(admin, place="submit", error=trouble)
        with pytest.raises(EngineRefused) as at_submit:
            await bought(engine, paint, f"during {trouble}")
        await strike(admin, place="result", error=trouble)
        with pytest.raises(EngineRefused) as at_result:
            await engine.result(ticket)
        assert at_submit.value.code == at_result.value.code == REFUSALS[trouble]

    async def test_a_path_that_is_not_there_alarms_at_submit_and_is_a_lost_ticket_later(
        self, engine: Engine, admin: httpx.AsyncClient, paint: PaintOrder
    ) -> None:
        ticket = await bought(engine, paint, "before no path")
        await strike(admin, place="submit", error=Trouble.PATH_NOT_FOUND)
        with pytest.raises(EngineUnavailable) as failed:
            await bought(engine, paint, "during no path")
        assert (failed.value.cause, failed.value.alarms) == ("unknown_endpoint", True)
        for place, ask in (("status", engine.status), ("result", engine.result)):
            await strike(admin, place=place, error=Trouble.PATH_NOT_FOUND)
            with pytest.raises(TicketLost):
                await ask(ticket)

    @pytest.mark.parametrize(
        ("trouble", "expected"),
        [
            (Trouble.RUNNER_DISCONNECTED, RunFailed),
            (Trouble.STARTUP_TIMEOUT, RunFailed),
            (Trouble.GENERATION_TIMEOUT, RunFailed),
            (Trouble.INTERNAL_ERROR, RunFailed),
            (Trouble.INTERNAL_SERVER_ERROR, RunFailed),
            (Trouble.CONTENT_POLICY_VIOLATION, EngineRefused),
            (Trouble.NO_MEDIA_GENERATED, EngineRefused),
        ],
    )
    async def test_a_request_that_ends_in_one_is_finished_and_its_result_tells(
        self,
        engine: Engine,
        admin: httpx.AsyncClient,
        paint: PaintOrder,
        trouble: Trouble,
        expected: type[Exception],
    ) -> None:
        await strike(admin, place="painting", painting="error", error=trouble)
        ticket = await bought(engine, paint, f"painting {trouble}")
        with pytest.raises(expected, match=trouble):
            await finished(engine, ticket)
        status = await engine.status(ticket)
        assert status == Finished(has_failed=True)
        assert await bought(engine, paint, f"painting {trouble}") == ticket
        again = await bought(engine, paint, f"painting {trouble} again")
        assert (await finished(engine, again)).pictures

    @pytest.mark.parametrize(
        "trouble", [Trouble.NGINX_502, Trouble.NGINX_503, Trouble.WRONG_PAGE, Trouble.INTERNAL_ERROR]
    )
    async def test_trouble_on_the_way_to_a_result_is_not_taken_for_the_end_of_the_run(
        self, engine: Engine, admin: httpx.AsyncClient, paint: PaintOrder, trouble: Trouble
    ) -> None:
        ticket = await bought(engine, paint, f"on the way {trouble}")
        await finished(engine, ticket)
        await strike(admin, place="result", error=trouble)
        with pytest.raises(EngineUnavailable) as failed:
            await engine.result(ticket)
        assert not isinstance(failed.value, RunFailed)
        assert await engine.status(ticket) == Finished()
        assert (await engine.result(ticket)).pictures

    async def test_an_answer_that_does_not_come_is_given_up(
        self, darkroom_url: str, admin: httpx.AsyncClient, paint: PaintOrder
    ) -> None:
        impatient = FalEngine(
            name="x", key=KEY, base_url=darkroom_url, is_deduplicating=True, account=None, call_s=0.3
        )
        await strike(admin, place="submit", delay_s=20)
        with pytest.raises(EngineUnavailable) as failed:
            await bought(impatient, paint, "late")
        await impatient.aclose()
        assert (failed.value.cause, failed.value.may_have_bought) == ("timed_out", True)


class TestPictures:
    async def painted(
        self, engine: Engine, admin: httpx.AsyncClient, order: PaintOrder, fault: str, hit: Sequence[int]
    ) -> list[bytes | Exception | None]:
        """What comes of four pictures: bytes, the failure to fetch them, or None where withheld."""
        await strike(admin, place="painting", painting=fault, pictures=hit)
        ticket = await bought(engine, dataclasses.replace(order, count=4), f"{fault} {hit}")
        found: list[bytes | Exception | None] = []
        for picture in (await finished(engine, ticket)).pictures:
            try:
                body = await engine.fetch(picture.url, limit_bytes=1_000_000)
            except EngineUnavailable as error:
                found.append(error)
            else:
                found.append(None if picture.is_withheld else body)
        return found

    async def test_of_a_mixed_batch_the_flagged_ones_are_withheld(
        self, engine: Engine, admin: httpx.AsyncClient, paint: PaintOrder
    ) -> None:
        found = await self.painted(engine, admin, paint, "nsfw", [1, 3])
        assert [picture is None for picture in found] == [False, True, False, True]

    @pytest.mark.parametrize(("fault", "hit", "left"), [("short", [2], 3), ("empty", [0], 0)])
    async def test_fewer_pictures_are_a_result_all_the_same(
        self,
        engine: Engine,
        admin: httpx.AsyncClient,
        paint: PaintOrder,
        fault: str,
        hit: list[int],
        left: int,
    ) -> None:
        assert len(await self.painted(engine, admin, paint, fault, hit)) == left

    @pytest.mark.parametrize("fault", ["broken", "wrong", "huge"])
    async def test_what_is_no_picture_that_we_take_is_known_by_its_bytes(
        self, engine: Engine, admin: httpx.AsyncClient, paint: PaintOrder, fault: str
    ) -> None:
        bad, *good = await self.painted(engine, admin, paint, fault, [0])
        assert isinstance(bad, bytes)
        with pytest.raises(BrokenPicture):
            examine(bad)
        assert all(isinstance(body, bytes) and examine(body) for body in good)

    async def test_a_dead_link_is_tried_again_and_hurts_no_other_picture(
        self, engine: Engine, admin: httpx.AsyncClient, paint: PaintOrder
    ) -> None:
        first, second, *_ = await self.painted(engine, admin, paint, "expired", [1])
        assert isinstance(first, bytes)
        assert isinstance(second, FileGone)
        assert second.cause == "http_404"
