"""The audit names each figure that is not the sum of its rows, and each row that contradicts another."""

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.stars.audit import Difference
from starbooth.domain.stars.ledger import hold, release, settle
from starbooth.domain.stars.tables import TransactionType
from tests.make.audits import run_audit
from tests.make.guests import make_guest


async def make_history(database: Database) -> tuple[str, dict[str, str]]:
    """A guest with 100 stars and one hold of each ending, 10 stars each; the holds by their ending."""
    guest = await make_guest(database, stars=100)
    holds = {}
    async with database.transaction() as tx:
        for ending in ("pending", "settled", "parted", "released"):
            held = await hold(
                tx,
                user_id=guest,
                price_stars=10,
                purpose=TransactionType.GENERATION,
                key=f"{ending}:{guest}",
                facts={},
            )
            holds[ending] = held.transaction_id
        await settle(tx, hold_id=holds["settled"], spent_stars=10, facts={})
        await settle(tx, hold_id=holds["parted"], spent_stars=7, facts={})
        await release(tx, hold_id=holds["released"], facts={})
    return guest, holds


async def alter_behind_the_guards(database: Database, statement: str, **values: object) -> None:
    """What only a superuser can do: write past the triggers."""
    async with database.transaction() as tx:
        await tx.execute(text("SET LOCAL session_replication_role = replica"))
        await tx.execute(text(statement), values)


async def refund_of(database: Database, row_id: str) -> str:
    """The id of the row that gives back this one."""
    async with database.transaction() as tx:
        found = await tx.scalar(
            text('SELECT "id" FROM public."StarTransaction" WHERE metadata ->> \'refundOf\' = :id'),
            {"id": row_id},
        )
    assert isinstance(found, str)
    return found


class TestAudit:
    async def test_a_history_by_the_rules_is_clean(self, database: Database) -> None:
        await make_history(database)
        await make_history(database)
        found = await run_audit(database)
        assert found.is_clean
        assert (found.accounts, found.rows) == (2, 14)

    async def test_a_new_booth_is_clean(self, database: Database) -> None:
        found = await run_audit(database)
        assert found.is_clean
        assert (found.accounts, found.rows) == (0, 0)

    @pytest.mark.parametrize("figure", ["stars", "totalBoughtStars", "totalSpentStars"])
    async def test_a_figure_changed_by_hand_is_named_with_both_values(
        self, database: Database, figure: str
    ) -> None:
        guest, _ = await make_history(database)
        true = {"stars": 73, "totalBoughtStars": 0, "totalSpentStars": 17}[figure]
        async with database.transaction() as tx:
            await tx.execute(text(f'UPDATE public."User" SET "{figure}" = "{figure}" + 1000'))
        found = await run_audit(database)
        assert found.differences == (
            Difference(user_id=guest, figure=figure, written=true + 1000, computed=true),
        )
        assert all(type(each.computed) is int for each in found.differences)
        assert not found.is_clean

    async def test_a_row_altered_behind_the_guards_is_found(self, database: Database) -> None:
        guest, holds = await make_history(database)
        await alter_behind_the_guards(
            database,
            'UPDATE public."StarTransaction" SET "amount" = -11 WHERE "id" = :id',
            id=holds["settled"],
        )
        found = await run_audit(database)
        assert {(each.figure, each.written, each.computed) for each in found.differences} == {
            ("stars", 73, 72),
            ("totalSpentStars", 17, 18),
        }
        assert {each.user_id for each in found.differences} == {guest}

    async def test_a_row_deleted_behind_the_guards_is_found(self, database: Database) -> None:
        guest, holds = await make_history(database)
        await alter_behind_the_guards(
            database,
            "DELETE FROM public.\"StarTransaction\" WHERE metadata ->> 'refundOf' = :id",
            id=holds["released"],
        )
        found = await run_audit(database)
        assert found.differences == (Difference(user_id=guest, figure="stars", written=73, computed=63),)
        assert found.odd_rows == ((holds["released"], "released, but not given back exactly"),)

    async def test_only_the_guilty_account_is_named(self, database: Database) -> None:
        await make_history(database)
        guilty, _ = await make_history(database)
        async with database.transaction() as tx:
            await tx.execute(text('UPDATE public."User" SET "stars" = 0 WHERE "id" = :id'), {"id": guilty})
        assert [each.user_id for each in (await run_audit(database)).differences] == [guilty]

    @pytest.mark.parametrize(
        ("hold_name", "change", "what"),
        [
            ("pending", "\"status\" = 'REFUNDED'", "released, but not given back exactly"),
            ("pending", "\"status\" = 'FAILED'", "a hold that failed"),
            ("pending", '"amount" = 10', "a hold that gives"),
            ("parted", "\"status\" = 'PENDING'", "given back although it has not ended"),
            ("parted", '"amount" = -2', "given back more than was held, or less than nothing"),
            ("settled", "\"telegramPaymentChargeId\" = 'charge'", "no purchase, but with a charge id"),
        ],
    )
    async def test_a_hold_that_contradicts_its_refunds_is_odd(
        self, database: Database, hold_name: str, change: str, what: str
    ) -> None:
        _, holds = await make_history(database)
        await alter_behind_the_guards(
            database, f'UPDATE public."StarTransaction" SET {change} WHERE "id" = :id', id=holds[hold_name]
        )
        assert (holds[hold_name], what) in (await run_audit(database)).odd_rows

    async def test_a_refund_of_somebody_elses_hold_is_odd(self, database: Database) -> None:
        _, holds = await make_history(database)
        other = await make_guest(database, stars=1)
        await alter_behind_the_guards(
            database,
            'UPDATE public."StarTransaction" SET "userId" = :other WHERE metadata ->> \'refundOf\' = :id',
            other=other,
            id=holds["released"],
        )
        whats = [what for _, what in (await run_audit(database)).odd_rows]
        assert whats == ["points at no ledger row of its account"]

    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ("metadata = metadata - 'refundOf'", "points at no ledger row of its account"),
            ('metadata = metadata || \'{"refundOf": "cnothing"}\'', "points at no ledger row of its account"),
            ("\"status\" = 'REFUNDED'", "a refund that was refunded"),
        ],
    )
    async def test_a_refund_that_gives_back_nothing_known_is_odd(
        self, database: Database, change: str, what: str
    ) -> None:
        _, holds = await make_history(database)
        refund = await refund_of(database, holds["released"])
        await alter_behind_the_guards(
            database, f'UPDATE public."StarTransaction" SET {change} WHERE "id" = :id', id=refund
        )
        assert (refund, what) in (await run_audit(database)).odd_rows

    async def test_a_refund_of_a_gift_is_odd(self, database: Database) -> None:
        guest, holds = await make_history(database)
        refund = await refund_of(database, holds["released"])
        await alter_behind_the_guards(
            database,
            "UPDATE public.\"StarTransaction\" SET metadata = metadata || jsonb_build_object('refundOf', ("
            'SELECT "id" FROM public."StarTransaction" WHERE "type" = \'BONUS\' AND "userId" = :guest))'
            ' WHERE "id" = :id',
            id=refund,
            guest=guest,
        )
        assert (refund, "gives back what cannot be given back") in (await run_audit(database)).odd_rows

    async def test_a_row_that_gives_back_without_being_a_refund_is_odd(self, database: Database) -> None:
        _, holds = await make_history(database)
        await alter_behind_the_guards(
            database,
            "UPDATE public.\"StarTransaction\" SET \"type\" = 'BONUS' WHERE metadata ->> 'refundOf' = :id",
            id=holds["released"],
        )
        assert (holds["released"], "pointed at by a row that is no refund") in (
            await run_audit(database)
        ).odd_rows

    @pytest.mark.parametrize("status", ["PENDING", "FAILED"])
    async def test_a_hold_given_back_by_a_row_that_does_not_stand_is_odd(
        self, database: Database, status: str
    ) -> None:
        _, holds = await make_history(database)
        await alter_behind_the_guards(
            database,
            f'UPDATE public."StarTransaction" SET "status" = \'{status}\' WHERE "id" = :id',
            id=await refund_of(database, holds["parted"]),
        )
        found = await run_audit(database)
        named = {("stars", 73, 70), ("totalSpentStars", 17, 20)}
        assert {(each.figure, each.written, each.computed) for each in found.differences} == named
        whats = [what for row_id, what in found.odd_rows if row_id == holds["parted"]]
        assert whats == (["given back by a row that does not stand"] if status == "PENDING" else [])

    @pytest.mark.parametrize("status", ["PENDING", "FAILED", "REFUNDED"])
    @pytest.mark.parametrize("kind", ["BONUS", "ADMIN_GRANT"])
    async def test_a_gift_that_is_not_completed_is_odd(
        self, database: Database, kind: str, status: str
    ) -> None:
        guest = await make_guest(database, stars=5)
        await alter_behind_the_guards(
            database,
            f'UPDATE public."StarTransaction" SET "status" = \'{status}\', "type" = \'{kind}\''
            ' WHERE "userId" = :guest',
            guest=guest,
        )
        assert [what for _, what in (await run_audit(database)).odd_rows] == ["a gift that is not completed"]

    async def test_a_bonus_that_takes_is_odd(self, database: Database) -> None:
        await make_guest(database, stars=5)
        await alter_behind_the_guards(database, 'UPDATE public."StarTransaction" SET "amount" = -5')
        found = await run_audit(database)
        assert [what for _, what in found.odd_rows] == ["a bonus that gives nothing"]
        assert [(each.written, each.computed) for each in found.differences] == [(5, -5)]

    async def test_stars_of_an_account_that_is_gone_are_named(self, database: Database) -> None:
        guest = await make_guest(database, stars=5)
        await alter_behind_the_guards(database, 'DELETE FROM public."User" WHERE "id" = :id', id=guest)
        found = await run_audit(database)
        assert found.differences == (Difference(user_id=guest, figure="stars", written=0, computed=5),)

    async def test_a_movement_under_way_is_seen_whole_or_not_at_all(self, database: Database) -> None:
        guest = await make_guest(database, stars=100)
        async with database.transaction() as moving:
            await hold(
                moving,
                user_id=guest,
                price_stars=1,
                purpose=TransactionType.GENERATION,
                key="meanwhile",
                facts={},
            )
            assert (await run_audit(database)).is_clean
        assert (await run_audit(database)).is_clean
