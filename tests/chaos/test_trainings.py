"""A training is bought once, ends, and is paid for what it brought, while every process is killed at random.

One run with real processes; each test looks at one side of what is left.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.schooling import FUNDS, GUESTS, STOPS, TRAININGS_EACH, Reports, torment_a_school

pytestmark = [pytest.mark.slow, pytest.mark.timeout(420)]

SEED = 11


@pytest.fixture(scope="module")
def reports() -> Iterator[Reports]:
    """What is left of a house after the torment. Its folder is deleted after the last test."""
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    folder.chmod(0o755)
    try:
        yield asyncio.run(torment_a_school(folder, seed=SEED))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class TestTorment:
    def test_workers_engine_and_database_were_killed(self, reports: Reports) -> None:
        assert reports.kills["worker-1"] + reports.kills["worker-2"] >= 2
        assert reports.kills["engine"] >= 2
        assert reports.kills["postgresql"] == 1
        assert reports.stops_asked.total() == STOPS

    def test_nobody_fell_over_without_being_killed(self, reports: Reports) -> None:
        assert not reports.fallen, reports.last_words


class TestTrainings:
    def test_all_came_to_an_end_and_none_failed(self, reports: Reports) -> None:
        assert reports.is_settled, reports.last_words
        assert len(reports.orders) == GUESTS * TRAININGS_EACH
        ends = Counter((order["state"], order["error_code"]) for order in reports.orders)
        assert set(ends) <= {("done", None), ("cancelled", None), ("cancelled", "stopped")}, (
            ends,
            reports.last_words,
        )
        assert ends["done", None] >= GUESTS * TRAININGS_EACH - STOPS

    def test_rows_in_public_ended_as_their_orders_did(self, reports: Reports) -> None:
        for order in reports.orders:
            wanted = "COMPLETED" if order["state"] == "done" else "FAILED"
            assert (order["training"], order["lora"]) == (wanted, wanted), order
            assert (order["weights_url"] is not None) == (order["state"] == "done"), order
            assert order["stars_spent"] == order["spent_stars"], order

    def test_none_was_bought_twice(self, reports: Reports) -> None:
        bought = {order["id"]: order["request_id"] for order in reports.orders if order["request_id"]}
        assert len(set(bought.values())) == len(bought)
        # It may know one more: sent by who died before the answer came, and stopped by its guest then.
        assert set(bought) <= set(reports.taken)
        assert max(reports.taken.values()) == 1
        assert all(order["spent"] == [] for order in reports.orders)


class TestStars:
    def test_the_audit_finds_nothing(self, reports: Reports) -> None:
        code, said = reports.audit
        assert code == 0, said

    def test_guests_paid_for_the_steps_that_ran_and_nothing_else(self, reports: Reports) -> None:
        for order in reports.orders:
            ran = order["recipe"]["steps_ran"]
            assert order["spent_stars"] == order["price_stars"] * ran // order["recipe"]["steps"], order
        spent: Counter[str] = Counter()
        for order in reports.orders:
            spent[order["user_id"]] += order["spent_stars"]
        for user in reports.users:
            assert user["stars"] == FUNDS - spent[user["id"]]
            assert user["totalSpentStars"] == spent[user["id"]]


class TestFiles:
    def test_storage_holds_exactly_what_the_database_names(self, reports: Reports) -> None:
        assert sorted(reports.stored) == sorted(reports.named)

    def test_no_zip_of_photos_lies_at_an_engine_any_more(self, reports: Reports) -> None:
        assert reports.lent_zips == 0
