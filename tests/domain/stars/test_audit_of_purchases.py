"""The audit of bought stars: a purchase, its refunds, its invoice and its payment must tell one story."""

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.stars import buying
from tests.domain.stars.test_audit import alter_behind_the_guards, refund_of
from tests.make.audits import run_audit
from tests.make.guests import make_guest

_INVOICE = """
    INSERT INTO starbooth.purchases (id, user_id, kind, amount_stars, amount_xtr, expires_at)
    VALUES (:id, :user, 'pack', 50, 60, now())
"""
_PAYMENT = """
    INSERT INTO starbooth.payments (charge_id, transaction_id, purchase_id, user_id, telegram_id,
        amount_stars, amount_xtr, payload, came_by, paid_at)
    VALUES (:charge, :id, :id, :user, 1, 50, 60, :id, 'update', now())
"""


async def make_purchases(database: Database) -> tuple[str, dict[str, str]]:
    """A guest with a purchase of 50 stars in each state, with their papers; the rows by their state."""
    guest = await make_guest(database)
    rows = {}
    async with database.transaction() as tx:
        for state in ("open", "failed", "paid", "asked back", "kept", "refunded"):
            opened = await buying.open_purchase(
                tx, user_id=guest, amount=50, key=f"{state}:{guest}", facts={}
            )
            row_id = rows[state] = opened.transaction_id
            await tx.execute(text(_INVOICE), {"id": row_id, "user": guest})
            if state == "open":
                continue
            if state == "failed":
                assert await buying.fail_purchase(tx, purchase_id=row_id)
                continue
            charge = f"charge:{row_id}"
            await buying.credit_payment(
                tx, user_id=guest, amount=50, charge_id=charge, purchase_id=row_id, facts={}
            )
            await tx.execute(text(_PAYMENT), {"id": row_id, "user": guest, "charge": charge})
        for state in ("asked back", "kept"):
            begun = await buying.begin_refund(tx, purchase_id=rows[state], may_go_below_zero=False, facts={})
        await buying.drop_refund(tx, refund_id=begun.transaction_id, facts={})
        await buying.settle_refund(tx, purchase_id=rows["refunded"], facts={})
    return guest, rows


async def change_row(database: Database, row_id: str, change: str) -> None:
    await alter_behind_the_guards(
        database, f'UPDATE public."StarTransaction" SET {change} WHERE "id" = :id', id=row_id
    )


async def odd_things_about(database: Database, row_id: str) -> list[str]:
    return [what for odd_id, what in (await run_audit(database)).odd_rows if odd_id == row_id]


class TestPurchase:
    async def test_purchases_by_the_rules_are_clean(self, database: Database) -> None:
        await make_purchases(database)
        found = await run_audit(database)
        assert found.is_clean
        assert (found.accounts, found.rows) == (1, 9)

    @pytest.mark.parametrize(
        ("state", "change", "what"),
        [
            ("open", '"amount" = -50', "a purchase that gives nothing"),
            ("open", "\"status\" = 'COMPLETED'", "paid, but without a charge id"),
            ("paid", '"telegramPaymentChargeId" = NULL', "paid, but without a charge id"),
            ("refunded", '"telegramPaymentChargeId" = NULL', "paid, but without a charge id"),
            ("open", "\"telegramPaymentChargeId\" = 'x'", "not paid, but with a charge id"),
            ("failed", "\"telegramPaymentChargeId\" = 'x'", "not paid, but with a charge id"),
            ("paid", "\"status\" = 'FAILED'", "not paid, but with a charge id"),
            ("paid", "\"status\" = 'REFUNDED'", "refunded, but not by one row of exactly its amount"),
            ("asked back", "\"status\" = 'REFUNDED'", "refunded, but not by one row of exactly its amount"),
            ("kept", "\"status\" = 'REFUNDED'", "refunded, but not by one row of exactly its amount"),
            ("refunded", '"amount" = 49', "refunded, but not by one row of exactly its amount"),
            ("refunded", "\"status\" = 'COMPLETED'", "given back, but still counted as bought"),
            ("asked back", '"amount" = 51', "being given back, but not by exactly its amount"),
            (
                "asked back",
                '"status" = \'FAILED\', "telegramPaymentChargeId" = NULL',
                "given back although it was not paid",
            ),
            ("paid", "\"type\" = 'BONUS'", "no purchase, but with a charge id"),
        ],
    )
    async def test_a_purchase_altered_behind_the_guards_is_named(
        self, database: Database, state: str, change: str, what: str
    ) -> None:
        _, rows = await make_purchases(database)
        await change_row(database, rows[state], change)
        assert what in await odd_things_about(database, rows[state])

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ('"amount" = -49', "refunded, but not by one row of exactly its amount"),
            ("\"status\" = 'PENDING'", "refunded, but not by one row of exactly its amount"),
            ("\"status\" = 'FAILED'", "refunded, but not by one row of exactly its amount"),
        ],
    )
    async def test_a_refund_altered_behind_the_guards_is_named_by_its_purchase(
        self, database: Database, change: str, what: str
    ) -> None:
        _, rows = await make_purchases(database)
        await change_row(database, await refund_of(database, rows["refunded"]), change)
        assert await odd_things_about(database, rows["refunded"]) == [what]

    async def test_two_live_refunds_of_one_purchase_are_odd(self, database: Database) -> None:
        _, rows = await make_purchases(database)
        kept = await refund_of(database, rows["kept"])
        await change_row(database, kept, "\"status\" = 'PENDING'")
        assert await odd_things_about(database, rows["kept"]) == []
        moved = f"metadata = jsonb_set(metadata, '{{refundOf}}', '\"{rows['asked back']}\"')"
        await change_row(database, kept, moved)
        assert await odd_things_about(database, rows["asked back"]) == ["given back more than once"]

    async def test_a_refund_of_another_accounts_purchase_is_odd(self, database: Database) -> None:
        _, rows = await make_purchases(database)
        other = await make_guest(database)
        refund = await refund_of(database, rows["refunded"])
        await change_row(database, refund, f"\"userId\" = '{other}'")
        assert await odd_things_about(database, refund) == ["points at no ledger row of its account"]

    async def test_every_figure_that_a_forged_payment_moves_is_named(self, database: Database) -> None:
        guest, rows = await make_purchases(database)
        await change_row(
            database, rows["open"], "\"status\" = 'COMPLETED', \"telegramPaymentChargeId\" = 'forged'"
        )
        found = await run_audit(database)
        assert {(each.user_id, each.figure, each.written, each.computed) for each in found.differences} == {
            (guest, "stars", 100, 150),
            (guest, "totalBoughtStars", 150, 200),
        }
        assert found.odd_rows == ((rows["open"], "its invoice was paid, but there is no payment"),)


class TestPapers:
    @pytest.mark.parametrize(
        ("statement", "what"),
        [
            (
                "UPDATE starbooth.payments SET charge_id = 'other' WHERE transaction_id = :id",
                "differs from its payment in owner, amount or charge id",
            ),
            (
                "UPDATE starbooth.payments SET amount_stars = 51 WHERE transaction_id = :id",
                "differs from its payment in owner, amount or charge id",
            ),
            (
                "UPDATE starbooth.payments SET user_id = 'cother' WHERE transaction_id = :id",
                "differs from its payment in owner, amount or charge id",
            ),
            (
                "DELETE FROM starbooth.payments WHERE transaction_id = :id",
                "its invoice was paid, but there is no payment",
            ),
            (
                "UPDATE starbooth.purchases SET amount_stars = 51 WHERE id = :id",
                "differs from its invoice in owner or amount",
            ),
            (
                "UPDATE starbooth.purchases SET user_id = 'cother' WHERE id = :id",
                "differs from its invoice in owner or amount",
            ),
            (
                'DELETE FROM public."StarTransaction" WHERE "id" = :id',
                "has a payment or an invoice, but is not in the ledger",
            ),
        ],
    )
    async def test_a_row_that_differs_from_its_papers_is_named(
        self, database: Database, statement: str, what: str
    ) -> None:
        _, rows = await make_purchases(database)
        await alter_behind_the_guards(database, statement, id=rows["paid"])
        assert (await run_audit(database)).odd_rows == ((rows["paid"], what),)

    async def test_a_payment_that_was_not_credited_is_named(self, database: Database) -> None:
        guest, rows = await make_purchases(database)
        await alter_behind_the_guards(
            database, _PAYMENT, id=rows["open"], user=guest, charge="charge of the open one"
        )
        assert (await run_audit(database)).odd_rows == (
            (rows["open"], "there is a payment, but it was not credited"),
        )

    async def test_papers_of_a_row_that_is_no_purchase_are_named(self, database: Database) -> None:
        guest, rows = await make_purchases(database)
        refund = await refund_of(database, rows["refunded"])
        await alter_behind_the_guards(database, _PAYMENT, id=refund, user=guest, charge="x")
        assert (await run_audit(database)).odd_rows == (
            (refund, "has a payment or an invoice, but is no purchase"),
        )

    async def test_a_charge_without_papers_is_another_programs_sale(self, database: Database) -> None:
        guest = await make_guest(database)
        async with database.transaction() as tx:
            await buying.credit_payment(
                tx, user_id=guest, amount=50, charge_id="sold elsewhere", purchase_id=None, facts={}
            )
        assert (await run_audit(database)).is_clean
