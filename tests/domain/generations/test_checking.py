"""The operator's checker: after our own rules, before the order, and what becomes of prompts without it."""

from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from starbooth.base.database import Database, sql
from starbooth.domain.generations.checking import check_prompt
from starbooth.domain.generations.choices import Choices
from starbooth.domain.generations.errors import PromptTooLong
from starbooth.domain.generations.request import Limits, PictureRequest
from starbooth.domain.orders.place import Source
from starbooth.domain.prompts.errors import PromptRefused, PromptsPaused, PromptUnchecked
from starbooth.domain.prompts.gate import Leniency, note_refusal
from tests.make.checker import MemoryChecker, make_check
from tests.make.guests import make_guest
from tests.make.orders import place_pictures

LIMITS = Limits(active_orders=9, deadline=timedelta(minutes=5), leniency=Leniency(refusals_per_hour=2))


def ask(user_id: str, prompt: str, *, key: str = "one", negative: str = "") -> PictureRequest:
    return PictureRequest(
        request_key=key,
        user_id=user_id,
        source=Source.BOT,
        prompt=prompt,
        choices=Choices(negative=negative),
    )


@pytest.fixture
def checker() -> MemoryChecker:
    return MemoryChecker()


class TestCheck:
    async def test_it_is_asked_without_knowing_who(self, database: Database, checker: MemoryChecker) -> None:
        user_id = await make_guest(database)
        wanted = ask(user_id, " a red fox\x00 ", negative=" blur ")
        await check_prompt(database, make_check(checker), wanted, limits=LIMITS)
        (asked,) = checker.asked
        assert (asked.prompt, asked.negative) == ("a red fox", "blur")
        assert user_id not in asked.user

    async def test_its_no_is_a_refusal_that_counts(self, database: Database, checker: MemoryChecker) -> None:
        user_id = await make_guest(database)
        for number in range(2):
            with pytest.raises(PromptRefused) as caught:
                wanted = ask(user_id, "a dragon", key=str(number))
                await check_prompt(database, make_check(checker), wanted, limits=LIMITS)
            assert (caught.value.cause, caught.value.detail) == ("checker", "too hot")
            async with database.transaction() as tx:
                await note_refusal(tx, caught.value)
        with pytest.raises(PromptsPaused):
            await check_prompt(database, make_check(checker), ask(user_id, "a fox"), limits=LIMITS)
        assert len(checker.asked) == 2, "a guest in a pause costs nothing"

    async def test_our_own_rules_come_first(self, database: Database, checker: MemoryChecker) -> None:
        user_id = await make_guest(database)
        for prompt, refusal in (("a lolicon", PromptRefused), ("x" * 2001, PromptTooLong)):
            with pytest.raises(refusal):
                await check_prompt(database, make_check(checker), ask(user_id, prompt), limits=LIMITS)
        assert checker.asked == []

    async def test_all_that_could_be_drawn_is_shown_to_it(
        self, database: Database, checker: MemoryChecker
    ) -> None:
        user_id = await make_guest(database)
        with pytest.raises(PromptRefused):
            wanted = ask(user_id, "a <random:red|green> <random:fox|drag>on")
            await check_prompt(database, make_check(checker), wanted, limits=LIMITS)
        assert checker.asked[0].prompt == "a red foxon\na green dragon"

    async def test_what_was_ordered_is_not_asked_about_again(
        self, database: Database, checker: MemoryChecker
    ) -> None:
        user_id = await make_guest(database, stars=20)
        await place_pictures(database, user_id, prompt="a dragon", request_key="one")
        await check_prompt(database, make_check(checker), ask(user_id, "a dragon"), limits=LIMITS)
        assert checker.asked == []

    async def test_without_a_checker_nothing_happens(self, database: Database) -> None:
        await check_prompt(database, None, ask("nobody", ""), limits=LIMITS)


class TestAway:
    async def test_prompts_pass_and_operators_are_told_once_an_hour(
        self, database: Database, checker: MemoryChecker
    ) -> None:
        checker.is_away = True
        user_id = await make_guest(database)
        with capture_logs() as logs:
            for number in range(3):
                wanted = ask(user_id, "a secret dragon", key=str(number))
                await check_prompt(database, make_check(checker), wanted, limits=LIMITS)
        assert [each["event"] for each in logs] == ["prompt_check.unavailable"] * 3
        assert "secret" not in str(logs)
        async with database.transaction() as tx:
            rows = (await tx.execute(sql("SELECT kind, facts FROM starbooth.alerts"))).all()
        assert 1 <= len(rows) <= 2, "two where the hour changed meanwhile"
        assert rows[0] == ("prompt_check_away", {"reason": "checker: it is away", "when_away": "allow"})

    async def test_or_they_are_refused_without_counting_against_the_guest(
        self, database: Database, checker: MemoryChecker
    ) -> None:
        checker.is_away = True
        user_id = await make_guest(database)
        with pytest.raises(PromptUnchecked):
            check = make_check(checker, when_away="refuse")
            await check_prompt(database, check, ask(user_id, "a fox"), limits=LIMITS)
        async with database.transaction() as tx:
            assert await tx.scalar(sql("SELECT count(*) FROM starbooth.prompt_refusals")) == 0
