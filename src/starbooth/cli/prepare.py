"""Making a database ready: this release's tables, the base models, what is sold."""

from starbooth.base.database import Database
from starbooth.base.embedded import database_url
from starbooth.base.migration import migrate
from starbooth.base.settings import Settings
from starbooth.domain.catalog.offers import seed_offers
from starbooth.domain.trainings.offers import seed_training_offers


async def prepare_database(settings: Settings) -> str:
    """Migrate and seed. Returns the revision. Repeat: harmless, also from two processes at once."""
    url = await database_url(settings)
    revision = await migrate(url)
    database = Database(url, connections=1)
    try:
        async with database.transaction() as tx:
            await seed_offers(tx)
            await seed_training_offers(tx)
    finally:
        await database.aclose()
    return revision
