"""The checker over a real socket: what is asked, what counts as an answer, and a pause after a failure."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from starbooth.outside.checker.client import HttpChecker, opened_checker
from starbooth.outside.checker.contract import CheckerUnavailable, Question
from tests.outside.scripted import Reply, ScriptedServer

QUESTION = Question(prompt="a red fox", negative="blur", user="5f0c")


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(trust_env=False) as http:
        yield http


class TestCheck:
    async def test_the_question_and_the_answer(self, scripted: ScriptedServer) -> None:
        scripted.will_say({"allowed": False, "reason": "x" * 500})
        async with opened_checker(f"{scripted.url}/check", key="hush") as checker:
            verdict = await checker.check(QUESTION)
        assert (verdict.is_allowed, verdict.reason) == (False, "x" * 200)
        (asked,) = scripted.asked
        assert (asked.method, asked.target) == ("POST", "/check")
        assert asked.headers["authorization"] == "Bearer hush"
        assert json.loads(asked.body) == {"prompt": "a red fox", "negative": "blur", "user": "5f0c"}

    async def test_a_reason_is_not_needed_and_neither_is_a_key(self, scripted: ScriptedServer) -> None:
        scripted.will_say({"allowed": True})
        async with opened_checker(scripted.url, key=None) as checker:
            assert (await checker.check(QUESTION)).is_allowed
        assert "authorization" not in scripted.asked[0].headers

    @pytest.mark.parametrize(
        "reply",
        [
            Reply(status=500, body=b'{"allowed": true}'),
            Reply(status=302, body=b'{"allowed": true}', headers={"location": "http://127.0.0.1:9/"}),
            Reply(status=204),
            Reply(body=b""),
            Reply(body=b"yes"),
            Reply(body=b"[true]"),
            Reply(body=b'{"allowed": "yes"}'),
            Reply(body=b'{"allowed": 1}'),
            Reply(body=b'{"reason": "a red fox"}'),
            Reply(body=b"[" * 9000),
            Reply(body=b'{"allowed": true, "reason": "' + b"x" * 20_000 + b'"}'),
            Reply(is_dropped=True),
        ],
        ids=lambda reply: f"{reply.status}-{reply.body[:20]!r}",
    )
    async def test_anything_else_is_no_answer_and_is_not_told_on(
        self, scripted: ScriptedServer, reply: Reply
    ) -> None:
        scripted.will_answer(reply)
        async with opened_checker(scripted.url, key=None) as checker:
            with pytest.raises(CheckerUnavailable) as caught:
                await checker.check(QUESTION)
        assert "fox" not in str(caught.value)

    async def test_who_is_slow_is_not_waited_for(
        self, scripted: ScriptedServer, http: httpx.AsyncClient
    ) -> None:
        scripted.will_answer(Reply(body=b'{"allowed": true}', wait_s=5))
        with pytest.raises(CheckerUnavailable):
            await HttpChecker(http, scripted.url, key=None, answer_within_s=0.05).check(QUESTION)

    async def test_after_a_failure_it_is_left_alone_for_a_while(
        self, scripted: ScriptedServer, http: httpx.AsyncClient
    ) -> None:
        scripted.will_answer(Reply(status=503), Reply(body=b'{"allowed": true}'))
        patient = HttpChecker(http, scripted.url, key=None, left_alone_s=3600)
        for _ in range(3):
            with pytest.raises(CheckerUnavailable):
                await patient.check(QUESTION)
        assert len(scripted.asked) == 1
        hasty = HttpChecker(http, scripted.url, key=None, left_alone_s=0)
        assert (await hasty.check(QUESTION)).is_allowed
