"""Payments: purchases, refunds, the mirror of Telegram's list, subscriptions, carts and gifts."""

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only

revision = "0002"
down_revision = "0001"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Create everything. Only adds, so the release before works with it.

    The files hold many statements, so they go straight to the driver: a prepared statement takes one.
    """
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    for name in ("0004_payments", "0005_till"):
        await_only(driver.execute((_SQL / f"{name}.sql").read_text()))
