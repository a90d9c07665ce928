"""Models that makers share: the catalogue, fees, earnings, reports."""

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only

revision = "0013"
down_revision = "0012"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Create everything. The release before works with it: what is new has a default.

    The file holds many statements, so it goes straight to the driver: a prepared statement takes one.
    """
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    await_only(driver.execute((_SQL / "0017_models.sql").read_text()))
