"""The public contract, the rules of stars, and the schema `starbooth` with the job queue."""

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only

revision = "0001"
down_revision = None

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Create everything. The job queue's text is PgQueuer's own, frozen at the release named in its file.

    The files hold many statements each, so they go straight to the driver: a prepared statement takes one.
    """
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    for name in ("0001_contract", "0002_stars", "pgqueuer_1_6_0", "0003_booth"):
        await_only(driver.execute((_SQL / f"{name}.sql").read_text()))
