"""Bringing a database to this release. Apart from `database`, so that only who migrates loads Alembic."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from starbooth.base.database import SESSION
from starbooth.base.errors import SettingError

OLDEST_POSTGRESQL = 15
_MIGRATION_LOCK = 0x53544152  # any number that no other program's advisory lock has


async def migrate(url: str) -> str:
    """Bring the database to this release and return the revision. Safe to repeat and to run twice at once.

    Locks: an advisory lock lets one process through at a time; the second finds nothing to do. Every
    statement waits at most 5 s for a table lock, so a migration never queues up behind a long query while
    everybody else queues up behind the migration.
    """
    engine = create_async_engine(
        make_url(url).set(drivername="postgresql+asyncpg"),
        pool_size=1,
        connect_args={"server_settings": SESSION, "timeout": 10},
    )
    try:
        async with engine.connect() as connection:
            await _require_postgresql(connection)
            await connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": _MIGRATION_LOCK})
            await connection.execute(text("SET lock_timeout = '5s'"))
            await connection.execute(text("CREATE SCHEMA IF NOT EXISTS starbooth"))
            await connection.commit()
            await connection.run_sync(_upgrade)
            await connection.commit()
            revision = await connection.scalar(text("SELECT version_num FROM starbooth.alembic_version"))
            return str(revision)
    finally:
        await engine.dispose()


async def _require_postgresql(connection: AsyncConnection) -> None:
    refuse_old_postgresql(int(await connection.scalar(text("SHOW server_version_num")) or 0))


def refuse_old_postgresql(server_version_num: int) -> None:
    """Raise SettingError where PostgreSQL is too old. server_version_num: 180001 stands for 18.1."""
    version = server_version_num // 10_000
    if version < OLDEST_POSTGRESQL:
        raise SettingError("DATABASE_URL", f"PostgreSQL {version} is too old; {OLDEST_POSTGRESQL} is needed.")


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent.parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
