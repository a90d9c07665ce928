"""Storage and the database side by side: each file is named, each name has its file."""

from datetime import UTC, datetime, timedelta

from starbooth.base.database import Database
from starbooth.domain.gallery.pictures import delete_doomed_files
from starbooth.domain.privacy.holdings import read_named
from starbooth.outside.storage.contract import Storage


async def named_keys(database: Database) -> set[str]:
    """The files that rows of the database name."""
    async with database.transaction() as tx:
        return {named.key async for named in read_named(tx)}


async def stored_keys(storage: Storage) -> set[str]:
    """The files that are there."""
    return {key async for key in storage.list()}


async def assert_storage_is_true(database: Database, storage: Storage) -> None:
    """Storage holds exactly what the database names, once what is doomed has gone."""
    while await delete_doomed_files(database, storage, limit=100):
        pass
    assert await stored_keys(storage) == await named_keys(database)


def tomorrow() -> datetime:
    """A moment by which all that is stored now is old."""
    return datetime.now(UTC) + timedelta(days=2)
