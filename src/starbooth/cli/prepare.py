"""Making a database ready: this release's tables, and the three base models with their offers."""

from starbooth.base.database import Database
from starbooth.base.embedded import database_url
from starbooth.base.migration import migrate
from starbooth.base.settings import Settings
from starbooth.domain.catalog.offers import seed_offers


async def prepare_database(settings: Settings) -> str:
    """Migrate and seed. Returns the revision. Repeat: harmless, also from two processes at once."""
    url = await database_url(settings)
    revision = await migrate(url)
    database = Database(url, connections=1)
    try:
        async with database.transaction() as tx:
            await seed_offers(tx)
    finally:
        await database.aclose()
    return revision
