"""The database itself keeps the ledger: plain SQL cannot do what the rules forbid."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from starbooth.base.database import Database
from starbooth.base.ids import new_id
from tests.make.guests import make_guest

ALL_STATUSES = ("PENDING", "COMPLETED", "FAILED", "REFUNDED")
ALL_TYPES = ("PURCHASE", "GENERATION", "TRAINING", "REFUND", "ADMIN_GRANT", "BONUS")
ALLOWED_STEPS = {
    ("GENERATION", "PENDING", "COMPLETED"),
    ("GENERATION", "PENDING", "REFUNDED"),
    ("TRAINING", "PENDING", "COMPLETED"),
    ("TRAINING", "PENDING", "REFUNDED"),
    ("PURCHASE", "PENDING", "COMPLETED"),
    ("PURCHASE", "PENDING", "FAILED"),
    ("PURCHASE", "COMPLETED", "REFUNDED"),
    ("REFUND", "PENDING", "COMPLETED"),
    ("REFUND", "PENDING", "FAILED"),
}


async def insert_row(
    database: Database,
    *,
    kind: str = "PURCHASE",
    status: str = "PENDING",
    amount: int = 5,
    charge_id: str | None = None,
) -> str:
    guest = await make_guest(database)
    row_id = new_id()
    async with database.transaction() as tx:
        await tx.execute(
            text(
                'INSERT INTO public."StarTransaction"'
                ' ("id", "userId", "amount", "type", "status", "telegramPaymentChargeId", "metadata")'
                ' VALUES (:id, :user, :amount, CAST(:kind AS public."TransactionType"),'
                ' CAST(:status AS public."TransactionStatus"), :charge,'
                " jsonb_build_object('key', CAST(:id AS text), 'note', 'x'))"
            ),
            {
                "id": row_id,
                "user": guest,
                "amount": amount,
                "kind": kind,
                "status": status,
                "charge": charge_id,
            },
        )
    return row_id


async def execute(database: Database, statement: str, **values: object) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(statement), values)


class TestWhatMayNeverChange:
    @pytest.mark.parametrize(
        "change",
        [
            '"amount" = 6',
            '"amount" = -5',
            "\"type\" = 'BONUS'",
            '"userId" = (SELECT "id" FROM public."User" WHERE "id" <> "StarTransaction"."userId" LIMIT 1)',
            '"createdAt" = "createdAt" + interval \'1 second\'',
            "\"id\" = 'cother'",
            "\"metadata\" = jsonb_set(metadata, '{key}', '\"other\"')",
            "\"metadata\" = metadata - 'key'",
            '"metadata" = NULL',
            '"metadata" = metadata || \'{"refundOf": "other"}\'',
        ],
    )
    async def test_it_is_refused(self, database: Database, change: str) -> None:
        await make_guest(database)
        row_id = await insert_row(database)
        with pytest.raises(DBAPIError, match="may not change its id, owner, amount, type, time or key"):
            await execute(
                database, f'UPDATE public."StarTransaction" SET {change} WHERE "id" = :id', id=row_id
            )

    async def test_a_charge_id_is_set_once(self, database: Database) -> None:
        row_id = await insert_row(database)
        change = 'UPDATE public."StarTransaction" SET "telegramPaymentChargeId" = :charge WHERE "id" = :id'
        await execute(database, change, id=row_id, charge="charge-1")
        await execute(database, change, id=row_id, charge="charge-1")
        for other in ("charge-2", None):
            with pytest.raises(DBAPIError, match="may not change its charge id"):
                await execute(database, change, id=row_id, charge=other)

    async def test_two_rows_never_have_the_same_charge_id(self, database: Database) -> None:
        await insert_row(database, charge_id="charge-1")
        with pytest.raises(DBAPIError, match="StarTransaction_telegramPaymentChargeId_key"):
            await insert_row(database, charge_id="charge-1")

    async def test_other_facts_may_be_added(self, database: Database) -> None:
        row_id = await insert_row(database)
        await execute(
            database,
            'UPDATE public."StarTransaction" SET metadata = metadata || \'{"more": 1}\' WHERE "id" = :id',
            id=row_id,
        )

    async def test_an_account_with_a_ledger_cannot_take_another_id(self, database: Database) -> None:
        """The contract's ON UPDATE CASCADE would rewrite the owner of every row."""
        await make_guest(database, stars=3)
        with pytest.raises(DBAPIError, match="may not change its id, owner"):
            await execute(database, 'UPDATE public."User" SET "id" = \'cother\'')


class TestRemoval:
    async def test_a_row_cannot_be_deleted(self, database: Database) -> None:
        row_id = await insert_row(database)
        with pytest.raises(DBAPIError, match="never removed"):
            await execute(database, 'DELETE FROM public."StarTransaction" WHERE "id" = :id', id=row_id)

    @pytest.mark.parametrize("target", ['public."StarTransaction" CASCADE', 'public."User" CASCADE'])
    async def test_the_table_cannot_be_emptied(self, database: Database, target: str) -> None:
        await insert_row(database)
        with pytest.raises(DBAPIError, match="never removed"):
            await execute(database, f"TRUNCATE {target}")

    async def test_an_account_with_a_ledger_cannot_be_deleted(self, database: Database) -> None:
        await insert_row(database)
        with pytest.raises(DBAPIError, match="StarTransaction_userId_fkey"):
            await execute(database, 'DELETE FROM public."User"')


async def is_passing(database: Database, kind: str, row_id: str, old: str, new: str) -> bool:
    """Try one step by plain SQL. A refusal must be the guard's own."""
    refusal = ""
    try:
        await execute(
            database,
            'UPDATE public."StarTransaction" SET "status" = CAST(:new AS public."TransactionStatus")'
            ' WHERE "id" = :id',
            id=row_id,
            new=new,
        )
    except DBAPIError as error:
        refusal = str(error)
    assert not refusal or f"a {kind} may not go from {old} to {new}" in refusal
    return not refusal


class TestStatusSteps:
    @pytest.mark.parametrize("kind", ALL_TYPES)
    async def test_only_the_named_steps_pass(self, database: Database, kind: str) -> None:
        passed = set()
        for old in ALL_STATUSES:
            for new in ALL_STATUSES:
                if old == new:
                    continue
                row_id = await insert_row(database, kind=kind, status=old)
                if await is_passing(database, kind, row_id, old, new):
                    passed.add((kind, old, new))
        assert passed == {step for step in ALLOWED_STEPS if step[0] == kind}
