"""The gallery: its indexes, favourites, files to delete, and galleries that are open."""

from pathlib import Path

from alembic import op
from sqlalchemy.util import await_only

revision = "0008"
down_revision = "0007"

_SQL = Path(__file__).parent.parent / "sql"


def upgrade() -> None:
    """Create everything. The release before works with it: one index is replaced by one that serves it too.

    The file holds many statements, so it goes straight to the driver: a prepared statement takes one.
    """
    driver = op.get_bind().connection.driver_connection
    assert driver is not None
    await_only(driver.execute((_SQL / "0011_gallery.sql").read_text()))
