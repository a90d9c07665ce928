"""By which name a maker is shown beside their public models: as they chose, and by none before they chose."""

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum

from starbooth.base.database import Tx, sql
from starbooth.domain.models.errors import PenNameRefused, PenNameTaken
from starbooth.domain.prompts.word_list import find_in

LONGEST_PEN_NAME = 30
_FORM = re.compile(r"[^\W_](?:[\w .'’-]*[\w.])?")

# Of the maker that a statement calls `m`, whose account is `u`.
SHOWN_NAME = """CASE m.shows WHEN 'pen_name' THEN m.pen_name
    WHEN 'username' THEN '@' || u."username" END"""


class Shows(StrEnum):
    """What is shown of a maker."""

    NOTHING = "nothing"
    USERNAME = "username"
    PEN_NAME = "pen_name"


@dataclass(frozen=True, kw_only=True)
class Maker:
    """A maker as they may be shown. pen_name: the last one chosen, also where it is not shown now."""

    shows: Shows
    pen_name: str | None
    username: str | None


async def read_maker(tx: Tx, *, user_id: str) -> Maker:
    """What this guest chose; nothing is shown of who has not chosen."""
    row = (
        await tx.execute(
            sql(
                "SELECT coalesce(m.shows, 'nothing') AS shows, m.pen_name, u.\"username\" AS username"
                ' FROM public."User" u LEFT JOIN starbooth.makers m ON m.user_id = u."id"'
                ' WHERE u."id" = :id'
            ),
            {"id": user_id},
        )
    ).one()
    return Maker(**{**row._mapping, "shows": Shows(row.shows)})


async def show_maker(tx: Tx, shows: Shows, *, user_id: str) -> None:
    """Show the username or nothing; a pen name is shown by `take_pen_name`. Repeat: harmless."""
    assert shows is not Shows.PEN_NAME
    await tx.execute(
        sql(
            "INSERT INTO starbooth.makers (user_id, shows) VALUES (:id, :shows)"
            " ON CONFLICT (user_id) DO UPDATE SET shows = excluded.shows"
        ),
        {"id": user_id, "shows": shows.value},
    )


async def take_pen_name(tx: Tx, typed: str, *, user_id: str) -> str:
    """Show this name, as it is returned. Repeat: harmless. Raises: PenNameRefused, PenNameTaken."""
    name = " ".join(unicodedata.normalize("NFC", typed).split())
    if not 2 <= len(name) <= LONGEST_PEN_NAME or not _FORM.fullmatch(name):
        raise PenNameRefused
    if await find_in(tx, [name]) is not None:
        raise PenNameRefused
    if await tx.scalar(_IS_USERNAME, {"name": name, "id": user_id}):
        raise PenNameTaken
    taken = await tx.execute(_TAKE, {"id": user_id, "name": name})
    if taken.first() is None:
        raise PenNameTaken
    return name


_IS_USERNAME = sql("""
    SELECT true FROM public."User" WHERE lower("username") = lower(:name) AND "id" <> :id LIMIT 1
""")
# Whose name it is keeps it; two who take it at once wait for each other at the index.
_TAKE = sql("""
    INSERT INTO starbooth.makers (user_id, shows, pen_name)
    SELECT :id, 'pen_name', :name
    WHERE NOT EXISTS (
        SELECT FROM starbooth.makers WHERE lower(pen_name) = lower(:name) AND user_id <> :id)
    ON CONFLICT (user_id) DO UPDATE SET shows = 'pen_name', pen_name = excluded.pen_name
    RETURNING 1
""")
