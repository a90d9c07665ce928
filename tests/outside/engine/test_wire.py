"""How calls travel: to fal's own hosts and their backups, or to another server by the same addresses."""

from collections.abc import Callable

import httpx
import pytest
from fal_client import client as fal

from starbooth.outside.engine.contract import EngineUnavailable
from starbooth.outside.engine.wire import FAL_HOSTS, EngineHTTP, Rewrite
from tests.outside.scripted import Reply, ScriptedServer

SUBMIT = "https://queue.fal.run/fal-ai/flux/dev"


class Line:
    """Stands for the network under fal-client's own transport; notes which hosts were tried."""

    def __init__(self, *outcomes: Callable[[httpx.Request], httpx.Response]) -> None:
        self._outcomes = list(outcomes)
        self.hosts: list[str] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.hosts.append(request.url.host)
        return self._outcomes.pop(0)(request)


def answer(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"request_id": "0f-1"})


def no_connection(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused", request=request)


def no_answer(request: httpx.Request) -> httpx.Response:
    raise httpx.ReadError("reset", request=request)


def at_fal(line: Line) -> EngineHTTP:
    transport = fal.AsyncBackupDomainTransport(transport=httpx.MockTransport(line))
    return EngineHTTP(transport=transport, key="a:b", is_deduplicating=False)


class TestAtFal:
    def test_its_hosts_are_those_of_the_reference(self) -> None:
        assert {"fal.run", "queue.fal.run", "rest.fal.ai", "v3.fal.media"} == FAL_HOSTS

    async def test_before_a_connection_stands_the_backup_is_tried(self) -> None:
        line = Line(no_connection, answer)
        async with at_fal(line) as http:
            assert (await http.request("POST", SUBMIT, json={})).json() == {"request_id": "0f-1"}
        assert line.hosts == ["queue.fal.run", "queue.falrun.com"]

    async def test_an_order_that_was_sent_is_sent_nowhere_else(self) -> None:
        line = Line(no_answer, answer)
        async with at_fal(line) as http:
            with pytest.raises(EngineUnavailable) as failed:
                await http.request("POST", SUBMIT, json={})
        assert line.hosts == ["queue.fal.run"]
        assert failed.value.may_have_bought

    async def test_a_backup_that_loses_the_answer_may_have_bought(self) -> None:
        line = Line(no_connection, no_answer, answer)
        async with at_fal(line) as http:
            with pytest.raises(EngineUnavailable) as failed:
                await http.request("POST", SUBMIT, json={})
        assert line.hosts == ["queue.fal.run", "queue.falrun.com"]
        assert failed.value.may_have_bought

    async def test_a_question_is_asked_twice(self) -> None:
        line = Line(no_answer, answer)
        async with at_fal(line) as http:
            await http.request("GET", SUBMIT)
        assert line.hosts == ["queue.fal.run"] * 2


class TestRewrite:
    @pytest.mark.parametrize("host", sorted(FAL_HOSTS))
    async def test_each_host_of_fal_is_the_server_and_its_prefix(
        self, scripted: ScriptedServer, host: str
    ) -> None:
        scripted.will_answer(Reply())
        async with httpx.AsyncClient(transport=Rewrite(f"{scripted.url}/darkroom/")) as http:
            await http.get(f"https://{host}/a%20b?c=d%2Fe")
        (asked,) = scripted.asked
        assert asked.target == "/darkroom/a%20b?c=d%2Fe"
        assert asked.headers["host"] == scripted.url.removeprefix("http://")

    async def test_other_hosts_stay_as_they_are(self, scripted: ScriptedServer) -> None:
        scripted.will_answer(Reply())
        async with httpx.AsyncClient(transport=Rewrite("http://127.0.0.1:1")) as http:
            await http.get(f"{scripted.url}/x")
        assert scripted.asked[0].target == "/x"
