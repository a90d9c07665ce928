"""PostgreSQL: connections, transactions, notifications. Holds the only commit of the program.

`tx` is a connection inside a transaction. Who has one may read and write rows and enqueue jobs, and may
neither commit nor wait for anything outside.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cache
from typing import Any

import asyncpg
from sqlalchemy import MetaData, TextClause, make_url, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from starbooth.base.errors import Contended, Unavailable

Tx = AsyncConnection  # the name for a connection inside a transaction
_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
)
_CONTENDED = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError)
SESSION = {"timezone": "UTC", "application_name": "starbooth"}


@cache
def sql(statement: str) -> TextClause:
    """The statement of this text, read once and kept. For constants only, never for a text made of facts."""
    return text(statement)


class Database:
    """One process's pool of connections. Made once and handed down; closed by `aclose`."""

    def __init__(self, url: str, *, connections: int = 10) -> None:
        """url: postgresql://…, also with a unix socket folder as `?host=`. Connects on first use."""
        self._url = make_url(url).set(drivername="postgresql+asyncpg")
        self._engine: AsyncEngine = create_async_engine(
            self._url,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=10,
            hide_parameters=True,  # they hold prompts and names, and errors are logged
            connect_args={"server_settings": SESSION, "timeout": 10},
        )
        self._committing = self._engine.execution_options(isolation_level="AUTOCOMMIT")  # of the same pool

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Tx]:
        """A transaction, committed when the block ends and rolled back when it raises.

        Raises Unavailable where the server cannot be reached or went away; whether a commit that was under
        way took hold is then unknown, so everything done inside must bear a repeat. Raises Contended where
        another transaction was let go on in its place.
        """
        with _named():
            connection = await self._engine.connect()
            try:  # `async with` would start a task for closing
                async with connection.begin():
                    yield connection
            finally:
                await connection.close()

    @asynccontextmanager
    async def statement(self) -> AsyncIterator[Tx]:
        """Each statement inside is a transaction of its own: one round trip in place of three.

        For functions whose whole work is one statement. Raises Unavailable as `transaction` does.
        """
        with _named():
            connection = await self._committing.connect()
            try:
                yield connection
            finally:
                await connection.close()

    async def connect_raw(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection outside the pool, for listening or for the job queue. The caller closes it."""
        return await asyncpg.connect(raw_dsn(self._url), server_settings=SESSION, timeout=10)

    @asynccontextmanager
    async def listen(self, channel: str, on_message: Callable[[str], None]) -> AsyncIterator[None]:
        """Call `on_message` with the payload of every NOTIFY on `channel` while the block runs."""
        connection = await self.connect_raw()

        def relay(_connection: object, _pid: object, _channel: object, payload: object) -> None:
            on_message(str(payload))

        try:
            await connection.add_listener(channel, relay)
            yield
        finally:
            await connection.close(timeout=5)

    async def aclose(self) -> None:
        """Close every connection. Safe to repeat."""
        await self._engine.dispose()


async def driver_of(tx: Tx) -> Any:
    """asyncpg's own connection inside `tx`, for the few statements where SQLAlchemy's time would count.

    What is run on it belongs to `tx`. Raises Unavailable as `Database.transaction` does.
    """
    raw = await tx.get_raw_connection()
    adapted: Any = raw.dbapi_connection
    if adapted._transaction is None:  # SQLAlchemy saves BEGIN up until its own first statement
        try:
            await adapted._start_transaction()
        except adapted.dbapi.Error as error:
            if is_connection_lost(error):
                raise Unavailable("database: the connection was lost") from error
            raise
    return raw.driver_connection


@contextmanager
def _named() -> Iterator[None]:
    """Give the loss of the server our name."""
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("database: every connection is busy") from error
    except DBAPIError as error:
        if error.connection_invalidated or is_connection_lost(error.orig):
            raise Unavailable("database: the connection was lost") from error
        if _is_among(error.orig, _CONTENDED):
            raise Contended("database: another transaction was let go on") from error
        raise
    except (
        OSError,
        asyncpg.PostgresError,
        asyncpg.InterfaceError,
        asyncpg.InternalClientError,
    ) as error:
        if is_connection_lost(error):
            raise Unavailable(f"database: {type(error).__name__}") from error
        if isinstance(error, _CONTENDED):
            raise Contended("database: another transaction was let go on") from error
        raise


def is_connection_lost(error: BaseException | None) -> bool:
    """Whether this driver error means that the server cannot be had, not that it refused a statement."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _LOST):
            return True
        # The driver has one class for its misuse and for a connection that has gone; only its words tell.
        if isinstance(seen, asyncpg.InterfaceError) and "connection is closed" in str(seen):
            return True
        # A statement that meets the server's farewell half way leaves the driver between two states.
        if isinstance(seen, asyncpg.InternalClientError) and "cannot switch to state" in str(seen):
            return True
        seen = seen.__cause__
    return False


def _is_among(error: BaseException | None, kinds: tuple[type[BaseException], ...]) -> bool:
    """Whether this error, or what it was made from, is of one of these kinds."""
    while error is not None:
        if isinstance(error, kinds):
            return True
        error = error.__cause__
    return False


def raw_dsn(url: URL) -> str:
    """The address in the form that asyncpg and libpq read."""
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


PUBLIC = MetaData(schema="public")
BOOTH = MetaData(schema="starbooth")
