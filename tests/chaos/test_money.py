"""Every Telegram Star is accounted for while processes are killed and payments go every wrong way.

One run of about a minute with real processes; each test compares one side of the books.
"""

import asyncio
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.commotion import ENOUGH, PROMO_CLAIMS, PROMO_STARS, Books, Row, torment_the_till

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

SEED = 11


@pytest.fixture(scope="module")
def books() -> Iterator[Books]:
    """What is written after the torment. Its folder is deleted after the last test."""
    folder = Path(tempfile.mkdtemp(prefix="money-"))
    folder.chmod(0o755)
    try:
        yield asyncio.run(torment_the_till(folder, seed=SEED))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def came_in(books: Books) -> dict[str, Row]:
    """What Telegram says was paid, by charge id."""
    return {row["id"]: row for row in books.listed if "source" in row}


def went_out(books: Books) -> dict[str, Row]:
    """What Telegram says went back, by charge id."""
    return {row["id"]: row for row in books.listed if "receiver" in row}


class TestTorment:
    def test_the_house_was_tormented(self, books: Books) -> None:
        assert books.counts["killed postgresql"] == 1
        assert books.counts["killed bot"] >= 2
        assert books.counts >= ENOUGH, books.counts

    def test_payments_went_every_wrong_way(self, books: Books) -> None:
        ways = Counter(payment["came_by"] for payment in books.payments)
        flags = Counter(payment["flag"] for payment in books.payments)
        assert ways["reconciliation"] >= 1
        assert flags["second_payment"] >= 1

    def test_nobody_fell_over_without_being_killed(self, books: Books) -> None:
        assert not books.fallen, books.last_words

    def test_everything_came_to_its_end(self, books: Books) -> None:
        assert books.is_settled, books.last_words


class TestTelegram:
    def test_each_charge_was_credited_exactly_once(self, books: Books) -> None:
        theirs = Counter(
            (row["id"], row["amount"], row["source"]["user"]["id"]) for row in came_in(books).values()
        )
        ours = Counter(
            (each["charge_id"], each["amount_xtr"], each["telegram_id"]) for each in books.payments
        )
        assert ours == theirs
        credited = Counter(
            row["telegramPaymentChargeId"] for row in books.ledger if row["telegramPaymentChargeId"]
        )
        assert credited == Counter(came_in(books).keys())

    def test_each_payment_gave_what_it_says(self, books: Books) -> None:
        ledger = {row["id"]: row for row in books.ledger}
        for payment in books.payments:
            row = ledger[payment["transaction_id"]]
            assert (row["amount"], row["userId"]) == (payment["amount_stars"], payment["user_id"])
            assert row["status"] == ("REFUNDED" if payment["charge_id"] in went_out(books) else "COMPLETED")

    def test_each_refund_was_booked_exactly_once(self, books: Books) -> None:
        done = Counter(each["charge_id"] for each in books.refunds if each["state"] == "done")
        assert done == Counter(went_out(books).keys())
        transactions = {each["charge_id"]: each["transaction_id"] for each in books.payments}
        booked = Counter(
            row["metadata"]["refundOf"]
            for row in books.ledger
            if row["type"] == "REFUND" and row["amount"] < 0 and row["status"] == "COMPLETED"
        )
        assert booked == Counter(transactions[charge_id] for charge_id in went_out(books))

    def test_no_refund_is_left_under_way(self, books: Books) -> None:
        assert not [each for each in books.refunds if each["state"] == "asked"]
        assert not [
            row
            for row in books.ledger
            if row["type"] == "REFUND" and row["amount"] < 0 and row["status"] == "PENDING"
        ]

    def test_the_bot_has_what_was_paid_and_not_given_back(self, books: Books) -> None:
        paid = sum(each["amount_xtr"] for each in books.payments)
        returned = sum(each["amount_xtr"] for each in books.payments if each["charge_id"] in went_out(books))
        assert books.balance_xtr == paid - returned

    def test_the_reconciler_has_nothing_left_to_do(self, books: Books) -> None:
        code, said = books.reconcile
        assert code == 0, said


class TestStars:
    def test_the_audit_finds_nothing(self, books: Books) -> None:
        code, said = books.audit
        assert code == 0, said
        assert "every star is accounted for" in said

    def test_nobody_is_below_zero_but_by_what_went_back(self, books: Books) -> None:
        charged_back = {each["user_id"] for each in books.payments if each["charge_id"] in went_out(books)}
        below = {user["id"] for user in books.users if user["stars"] < 0}
        assert below <= charged_back

    def test_the_code_was_redeemed_once_a_guest_and_no_more_often_than_it_may(self, books: Books) -> None:
        gifts = [
            row["userId"]
            for row in books.ledger
            if row["type"] == "BONUS" and row["metadata"]["key"].startswith("promo:")
        ]
        assert len(gifts) == len(set(gifts)) == books.claims
        assert 1 <= books.claims <= PROMO_CLAIMS
        assert {row["amount"] for row in books.ledger if row["metadata"]["key"].startswith("promo:")} == {
            PROMO_STARS
        }


class TestPlans:
    def test_every_month_that_was_paid_gave_what_was_agreed(self, books: Books) -> None:
        plans = {each["id"]: each for each in books.subscriptions}
        months = [each for each in books.payments if each["purchase_id"] in plans]
        assert len(months) > len(plans) >= 1, books.counts
        for month in months:
            assert month["amount_stars"] == plans[month["purchase_id"]]["amount_stars"]

    def test_every_plan_is_known_by_a_charge_that_began_it(self, books: Books) -> None:
        for plan in books.subscriptions:
            paid = [each for each in books.payments if each["purchase_id"] == plan["id"]]
            assert plan["first_charge_id"] in {each["charge_id"] for each in paid}
            assert plan["telegram_id"] in {each["telegram_id"] for each in paid}


class TestCarts:
    def test_a_wish_became_one_order_at_most(self, books: Books) -> None:
        assert not [key for key, n in Counter(o["request_key"] for o in books.orders).items() if n > 1]
        for cart in books.carts:
            assert cart["orders"] == (1 if cart["state"] == "ordered" else 0)

    def test_some_wishes_began_by_a_payment(self, books: Books) -> None:
        assert [cart for cart in books.carts if cart["state"] == "ordered" and cart["funded_at"]]

    def test_what_was_paid_for_began_unless_the_money_went_back(self, books: Books) -> None:
        left = [cart for cart in books.carts if cart["state"] == "waiting" and cart["funded_at"]]
        assert not [cart for cart in left if cart["balance_stars"] >= cart["price_stars"]]

    def test_orders_cost_their_price_once(self, books: Books) -> None:
        holds = Counter(row["id"] for row in books.ledger if row["type"] == "GENERATION")
        assert holds == Counter(order["hold_id"] for order in books.orders)
