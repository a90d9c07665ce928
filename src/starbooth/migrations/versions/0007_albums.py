"""Albums: several pictures of one order in the chat."""

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only

revision = "0007"
down_revision = "0006"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Create everything. Only adds, so the release before works with it.

    The file holds many statements, so it goes straight to the driver: a prepared statement takes one.
    """
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    await_only(driver.execute((_SQL / "0010_albums.sql").read_text()))
