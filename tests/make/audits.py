"""The audit as a test asks for it."""

from starbooth.base.database import Database
from starbooth.domain.stars.audit import Audit, audit


async def run_audit(database: Database) -> Audit:
    """The audit of this database as of now."""
    async with database.transaction() as tx:
        return await audit(tx)


async def assert_accounts_are_true(database: Database) -> None:
    """Every balance and total is the sum of its ledger rows."""
    found = await run_audit(database)
    assert found.differences == ()
    assert found.odd_rows == ()
