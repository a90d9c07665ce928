"""How most bots charge: read the balance, look at it in the program, write the new one. To compare with.

It runs at PostgreSQL's usual isolation (READ COMMITTED) and locks nothing, on the same driver as our own
movements, so that only the way of charging differs.
"""

from starbooth.base.database import Tx, driver_of
from starbooth.base.ids import new_id

_READ = 'SELECT "stars" FROM public."User" WHERE "id" = $1'
_WRITE = 'UPDATE public."User" SET "stars" = $2, "updatedAt" = now() WHERE "id" = $1'
_ROW = """
    INSERT INTO public."StarTransaction" ("id", "userId", "amount", "type", "status", "metadata")
    VALUES ($1, $2, $3, 'GENERATION', 'PENDING', jsonb_build_object('key', $4::text))
"""


async def charge_naively(tx: Tx, *, user_id: str, price_stars: int, key: str) -> bool:
    """Charge if the balance that was read allows it. Wrong as soon as two do it at once; never use it."""
    driver = await driver_of(tx)
    stars = await driver.fetchval(_READ, user_id)
    if stars < price_stars:
        return False
    await driver.execute(_WRITE, user_id, stars - price_stars)
    await driver.execute(_ROW, new_id(), user_id, -price_stars, key)
    return True
