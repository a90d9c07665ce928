"""Keeping, claiming and finishing updates, straight on the table."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.doors.bot.inbox import (
    Ending,
    UpdateRefused,
    Verdict,
    chat_key,
    claim_updates,
    claim_urgent,
    finish_updates,
    forget_old_updates,
    give_back,
    keep_updates,
    parse_update,
    renew_claims,
)
from tests.doors.bot.updates import message_update


async def keep(database: Database, *updates: dict[str, Any]) -> int:
    async with database.transaction() as tx:
        return await keep_updates(tx, updates)


async def claim(
    database: Database, me: str = "a", *, limit: int = 10, in_hand: tuple[int, ...] = ()
) -> list[int]:
    async with database.transaction() as tx:
        claimed = await claim_updates(tx, me=me, in_hand=in_hand, limit=limit)
    return [each.update_id for each in claimed]


async def finish(database: Database, *endings: Ending, me: str = "a") -> None:
    async with database.transaction() as tx:
        await finish_updates(tx, endings, me=me)


async def change(database: Database, assignments: str, update_id: int) -> None:
    async with database.transaction() as tx:
        await tx.execute(
            text(f"UPDATE starbooth.inbox SET {assignments} WHERE update_id = :id"), {"id": update_id}
        )


async def read(database: Database, update_id: int) -> Any:
    async with database.transaction() as tx:
        return (
            await tx.execute(text("SELECT * FROM starbooth.inbox WHERE update_id = :id"), {"id": update_id})
        ).one()


def done(update_id: int) -> Ending:
    return Ending(update_id=update_id, verdict=Verdict.HANDLED)


class TestKeeping:
    async def test_the_same_update_is_kept_once(self, database: Database) -> None:
        assert await keep(database, message_update(5)) == 1
        assert await keep(database, message_update(5), message_update(6)) == 1

    async def test_an_update_that_was_handled_is_known_again(self, database: Database) -> None:
        await keep(database, message_update(5))
        assert await claim(database) == [5]
        await finish(database, done(5))
        assert await keep(database, message_update(5)) == 0
        assert await claim(database) == []

    async def test_kinds_that_nobody_knows_are_kept(self, database: Database) -> None:
        await keep(database, {"update_id": 9, "telepathy": {"thought": "hm"}})
        assert (await read(database, 9)).body["telepathy"] == {"thought": "hm"}

    async def test_nothing_at_all_is_fine(self, database: Database) -> None:
        assert await keep(database) == 0

    @pytest.mark.parametrize("odd", ["a\0b", "half a pair: \ud83d", float("nan"), float("inf")])
    async def test_what_the_database_cannot_store_does_not_hold_up_the_rest(
        self, database: Database, odd: Any
    ) -> None:
        await keep(database, {"update_id": 1, "telepathy": [odd]}, message_update(2, text="\\u0000 is text"))
        assert await claim(database) == [1, 2]
        assert (await read(database, 2)).body["message"]["text"] == "\\u0000 is text"

    async def test_a_text_comes_back_as_it_was(self, database: Database) -> None:
        words = "<b>& \"quoted\" 'single' \\ שלום 👩‍👩‍👧 \u202eback\u202c"
        await keep(database, message_update(1, text=words))
        assert (await read(database, 1)).body["message"]["text"] == words

    @pytest.mark.parametrize("update_id", [None, "7", True, -1, 2**63, 1.5])
    async def test_an_update_without_a_usable_id_is_refused_with_all_the_others(
        self, database: Database, update_id: Any
    ) -> None:
        with pytest.raises(UpdateRefused):
            await keep(database, message_update(1), {"update_id": update_id, "message": {}})
        assert await claim(database) == []


class TestParsing:
    def test_an_update_is_read(self) -> None:
        assert parse_update(b'{"update_id": 3}') == {"update_id": 3}

    @pytest.mark.parametrize(
        "body", [b"", b"[]", b"{}", b"\xff", b'{"update_id": "3"}', b"[" * 100_000, b'"update_id"', b"null"]
    )
    def test_anything_else_is_refused(self, body: bytes) -> None:
        with pytest.raises(UpdateRefused):
            parse_update(body)


class TestWhoseTurnItIs:
    @pytest.mark.parametrize(
        ("update", "key"),
        [
            ({"message": {"chat": {"id": -5}, "from": {"id": 7}}}, "-5:7"),
            ({"message": {"chat": {"id": -5}}}, "-5"),
            ({"callback_query": {"from": {"id": 7}, "message": {"chat": {"id": -5}}}}, "-5:7"),
            ({"callback_query": {"from": {"id": 7}, "message": {"chat": {"id": 8}}}}, "8"),
            ({"callback_query": {"from": {"id": 7}, "inline_message_id": "x"}}, "user:7"),
            ({"my_chat_member": {"chat": {"id": 7}, "from": {"id": 7}}}, "7"),
            ({"pre_checkout_query": {"from": {"id": 7}}}, "update:1"),
            ({"purchased_paid_media": {"user": {"id": 7}}}, "user:7"),
            ({"subscription": {"user": {"id": 7}}}, "7"),
            ({"poll": {"id": "1"}}, "update:1"),
            ({"message": {"chat": "odd", "from": None}}, "update:1"),
            ({"message": None}, "update:1"),
        ],
    )
    def test_the_key_is_the_chat_in_groups_with_the_person_else_the_person_else_the_update(
        self, update: dict[str, Any], key: str
    ) -> None:
        assert chat_key({"update_id": 1, **update}) == key


class TestClaiming:
    async def test_one_update_of_each_chat_oldest_first(self, database: Database) -> None:
        await keep(
            database,
            message_update(4, chat_id=2),
            message_update(1, chat_id=1),
            message_update(2, chat_id=1),
            message_update(3, chat_id=2),
        )
        assert await claim(database) == [1, 3]
        assert await claim(database) == []
        await finish(database, done(1))
        assert await claim(database) == [2]

    async def test_no_more_than_there_is_room_for(self, database: Database) -> None:
        await keep(database, *(message_update(number, chat_id=number) for number in range(1, 6)))
        assert await claim(database, limit=2) == [1, 2]
        assert await claim(database, limit=2) == [3, 4]

    async def test_what_one_process_holds_another_does_not_get(self, database: Database) -> None:
        await keep(database, message_update(1), message_update(2, chat_id=2))
        assert await claim(database, "a", limit=1) == [1]
        assert await claim(database, "b") == [2]

    async def test_a_dead_process_loses_what_it_held(self, database: Database) -> None:
        await keep(database, message_update(1))
        await claim(database, "dead")
        await change(database, "claimed_until = now() - interval '1 ms'", 1)
        assert await claim(database, "alive") == [1]

    async def test_a_renewed_lease_is_kept(self, database: Database) -> None:
        await keep(database, message_update(1))
        await claim(database, "slow")
        await change(database, "claimed_until = now() - interval '1 ms'", 1)
        async with database.transaction() as tx:
            await renew_claims(tx, me="slow", in_hand=[1])
        assert await claim(database, "other") == []

    async def test_nobody_renews_what_another_has_taken_over(self, database: Database) -> None:
        await keep(database, message_update(1))
        await claim(database, "b")
        await change(database, "claimed_until = now() - interval '1 ms'", 1)
        async with database.transaction() as tx:
            await renew_claims(tx, me="a", in_hand=[1])
        assert await claim(database, "c") == [1]

    async def test_one_does_not_claim_what_one_has_in_hand_although_the_lease_is_out(
        self, database: Database
    ) -> None:
        await keep(database, message_update(1), message_update(2))
        await claim(database)
        await change(database, "claimed_until = now() - interval '1 ms'", 1)
        assert await claim(database, in_hand=(1,)) == []

    async def test_an_older_update_that_comes_late_waits_for_the_one_under_way(
        self, database: Database
    ) -> None:
        await keep(database, message_update(5))
        await claim(database)
        await keep(database, message_update(4))
        assert await claim(database) == []
        await finish(database, done(5))
        assert await claim(database) == [4]

    async def test_tries_are_counted(self, database: Database) -> None:
        await keep(database, message_update(1))
        await claim(database)
        assert (await read(database, 1)).tries == 1


class TestFinishing:
    async def test_the_words_of_a_handled_update_are_dropped(self, database: Database) -> None:
        await keep(database, message_update(1, text="a private wish"))
        await claim(database)
        await finish(database, done(1))
        row = await read(database, 1)
        assert (row.state, row.body) == ("handled", {})
        assert row.handled_at is not None

    async def test_a_failed_update_keeps_its_words_for_the_operator(self, database: Database) -> None:
        await keep(database, message_update(1))
        await claim(database)
        await finish(database, Ending(update_id=1, verdict=Verdict.FAILED))
        row = await read(database, 1)
        assert row.state == "failed"
        assert "message" in row.body

    async def test_a_retry_waits_and_holds_up_its_own_chat_only(self, database: Database) -> None:
        await keep(database, message_update(1), message_update(2), message_update(3, chat_id=3))
        await claim(database, limit=1)
        await finish(database, Ending(update_id=1, verdict=Verdict.WAITING, delay=timedelta(seconds=60)))
        assert await claim(database) == [3]
        await change(database, "due_at = now()", 1)
        assert await claim(database) == [1]

    async def test_who_lost_the_claim_cannot_finish(self, database: Database) -> None:
        await keep(database, message_update(1))
        await claim(database, "b")
        await finish(database, done(1), me="a")
        assert (await read(database, 1)).state == "waiting"

    async def test_what_is_given_back_is_there_at_once_and_cost_no_try(self, database: Database) -> None:
        await keep(database, message_update(1))
        await claim(database, "a")
        async with database.transaction() as tx:
            await give_back(tx, me="a", in_hand=[1])
        assert await claim(database, "b") == [1]
        assert (await read(database, 1)).tries == 1


class TestForgetting:
    async def test_only_what_ended_more_than_two_days_ago_goes(self, database: Database) -> None:
        await keep(database, *(message_update(number, chat_id=number) for number in (1, 2, 3)))
        await claim(database, limit=2)
        await finish(database, done(1), done(2))
        await change(database, "received_at = now() - interval '49 hours'", 1)
        await change(database, "received_at = now() - interval '47 hours'", 2)
        await change(database, "received_at = now() - interval '49 hours'", 3)
        async with database.transaction() as tx:
            assert await forget_old_updates(tx) == 1
        assert await keep(database, message_update(2), message_update(3)) == 0
        assert await claim(database) == [3]


def query(update_id: int, *, person_id: int = 7) -> dict[str, Any]:
    """The question whether a payment may go on."""
    return {"update_id": update_id, "pre_checkout_query": {"id": "1", "from": {"id": person_id}}}


async def claim_at_once(database: Database, *, in_hand: tuple[int, ...] = ()) -> tuple[list[int], list[int]]:
    async with database.transaction() as tx:
        claimed, late = await claim_urgent(tx, me="a", in_hand=in_hand, limit=5)
    return sorted(each.update_id for each in claimed), late


class TestUrgency:
    async def test_a_question_before_a_payment_waits_for_nobody(self, database: Database) -> None:
        await keep(database, *(message_update(number) for number in range(1, 9)), query(9), query(10))
        assert await claim(database) == [1]
        assert await claim_at_once(database) == ([9, 10], [])
        assert await claim_at_once(database) == ([], [])

    async def test_others_do_not_take_it_and_do_not_wait_for_it(self, database: Database) -> None:
        await keep(database, query(1), message_update(2))
        assert await claim(database) == [2]

    async def test_it_is_let_go_when_nobody_waits_for_the_answer_any_more(self, database: Database) -> None:
        await keep(database, query(1), query(2))
        await change(database, "received_at = now() - interval '10 s'", 1)
        assert await claim_at_once(database) == ([2], [1])
        assert (await read(database, 1)).state == "failed"
        assert await claim_at_once(database) == ([], [])

    async def test_who_holds_one_is_not_disturbed(self, database: Database) -> None:
        await keep(database, query(1))
        assert await claim_at_once(database) == ([1], [])
        await change(database, "received_at = now() - interval '10 s'", 1)
        assert await claim_at_once(database) == ([], [])
        await change(database, "claimed_until = now() - interval '1 s'", 1)
        assert await claim_at_once(database) == ([], [1])


class TestSteppingAside:
    async def test_a_chat_does_not_wait_for_what_stepped_aside(self, database: Database) -> None:
        await keep(database, message_update(1), message_update(2))
        assert await claim(database) == [1]
        later = Ending(update_id=1, verdict=Verdict.WAITING, delay=timedelta(minutes=1), steps_aside=True)
        await finish(database, later)
        assert await claim(database) == [2]
        await change(database, "due_at = now()", 1)
        assert await claim(database, in_hand=(2,)) == [1]
