"""Inline mode: the names that Telegram gives pictures."""

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only

revision = "0009"
down_revision = "0008"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Create everything. Only adds, so the release before works with it.

    The file holds many statements, so it goes straight to the driver: a prepared statement takes one.
    """
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    await_only(driver.execute((_SQL / "0012_inline.sql").read_text()))
