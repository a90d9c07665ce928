"""Shelves of models: a guest's own ones, those they marked, and the public ones by use, by hearts or by age.

A page is one walk along an index, found by key. A search looks for words that begin words of the name.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import TextClause

from starbooth.base.database import Tx, sql
from starbooth.domain.models.cards import FILE_OF, LoraStatus, stored
from starbooth.domain.models.errors import NothingToSearch
from starbooth.domain.models.makers import SHOWN_NAME

MOST_WORDS = 5
_WORD = re.compile(r"[^\W_]+")


class Shelf(StrEnum):
    """Which models, and in which order."""

    OWN = "own"
    USED = "used"
    LOVED = "loved"
    NEW = "new"
    KEPT = "kept"


PUBLIC_SHELVES = (Shelf.USED, Shelf.LOVED, Shelf.NEW)


class Goes(StrEnum):
    """Where a page lies from its place."""

    ON = "on"
    BACK = "back"


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place on a shelf: at the model of this key, which need not stand there any more.

    rank: what the shelf is ordered by; a number, or microseconds since 1970.
    """

    rank: int
    lora_id: str


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which models this guest wants to see. words: as `read_words` gives them."""

    user_id: str
    shelf: Shelf = Shelf.OWN
    words: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One model on a page. fee_stars: per picture, for others. preview_key: None where there is none."""

    lora_id: str
    name: str
    status: LoraStatus
    is_own: bool
    is_listed: bool
    is_hidden: bool
    is_favourite: bool
    fee_stars: int
    uses: int
    favourites: int
    maker_name: str | None
    preview_key: str | None
    rank: int

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(rank=self.rank, lora_id=self.lora_id)


@dataclass(frozen=True, kw_only=True)
class ModelPage:
    """Some models, best first, and the places from which `read_shelf` has the pages beside it, if any."""

    models: tuple[Entry, ...]
    back: Place | None
    on: Place | None


_EPOCH = "timestamptz 'epoch' + CAST(:rank AS bigint) * interval '1 microsecond'"
_MICROSECONDS = "CAST(extract(epoch FROM {at}) * 1000000 AS bigint)"
# What a shelf is ordered by, the place's rank as that, that as a rank, and which models stand there.
_ORDER = {
    Shelf.OWN: (
        'l."createdAt"',
        f"timezone('UTC', {_EPOCH})",
        _MICROSECONDS.format(at="""timezone('UTC', l."createdAt")"""),
        'l."userId" = :user_id',
    ),
    Shelf.USED: ("c.uses", "CAST(:rank AS bigint)", "c.uses", "c.is_listed"),
    Shelf.LOVED: ("c.favourites", "CAST(:rank AS bigint)", "c.favourites", "c.is_listed"),
    Shelf.NEW: ("c.listed_at", _EPOCH, _MICROSECONDS.format(at="c.listed_at"), "c.is_listed"),
    Shelf.KEPT: (
        "f.marked_at",
        _EPOCH,
        _MICROSECONDS.format(at="f.marked_at"),
        "c.is_listed AND f IS NOT NULL",
    ),
}
_WAYS = {Goes.ON: ("<", "DESC"), Goes.BACK: (">", "ASC")}


@cache
def _page(shelf: Shelf, goes: Goes, *, has_place: bool, has_words: bool) -> TextClause:
    by, at, rank, stands = _ORDER[shelf]
    beyond, order = _WAYS[goes]
    kept = "JOIN" if shelf is Shelf.KEPT else "LEFT JOIN"
    return sql(f"""
        SELECT l."id" AS lora_id, l."name" AS name, l."status"::text AS status,
            l."userId" = :user_id AS is_own, c.is_listed, c.hidden_at IS NOT NULL AS is_hidden,
            f.lora_id IS NOT NULL AS is_favourite, greatest(0, l."starsRequired") AS fee_stars,
            c.uses, c.favourites, {SHOWN_NAME} AS maker_name,
            {FILE_OF.format(url='l."previewImageUrl"')} AS preview_key, {rank} AS rank
        FROM starbooth.model_cards c
        JOIN public."LoraModel" l ON l."id" = c.lora_id
        JOIN public."User" u ON u."id" = l."userId"
        LEFT JOIN starbooth.makers m ON m.user_id = l."userId"
        {kept} starbooth.model_favourites f ON f.lora_id = c.lora_id AND f.user_id = :user_id
        WHERE {stands}
            {f"AND ({by}, c.lora_id) {beyond} ({at}, :place_id)" if has_place else ""}
            {"AND c.words @@ CAST(:query AS tsquery)" if has_words else ""}
        ORDER BY {by} {order}, c.lora_id {order} LIMIT :limit
    """)  # noqa: S608 - made of constants


def read_words(typed: str) -> tuple[str, ...]:
    """What to search by: at most five words, as names are searched. Raises: NothingToSearch."""
    found = _WORD.findall(typed[:500].lower().replace("ё", "е"))
    if not found:
        raise NothingToSearch
    return tuple(dict.fromkeys(word[:40] for word in found))[:MOST_WORDS]


async def read_shelf(
    tx: Tx, wanted: Wanted, *, limit: int, place: Place | None = None, goes: Goes = Goes.ON
) -> ModelPage:
    """A page of at most `limit` models, from the first or from this place on."""
    statement = _page(wanted.shelf, goes, has_place=place is not None, has_words=bool(wanted.words))
    values: dict[str, Any] = {"user_id": wanted.user_id, "limit": limit + 1}
    if place is not None:
        values |= {"rank": place.rank, "place_id": place.lora_id}
    if wanted.words:
        values["query"] = " & ".join(f"{word}:*" for word in wanted.words)
    rows = list((await tx.execute(statement, values)).all())
    has_more = len(rows) > limit
    found = [_entry(row) for row in rows[:limit]]
    if goes is Goes.BACK:
        found.reverse()
    has_on = has_more if goes is Goes.ON else place is not None
    has_back = has_more if goes is Goes.BACK else place is not None
    return ModelPage(
        models=tuple(found),
        back=found[0].place if found and has_back else None,
        on=found[-1].place if found and has_on else None,
    )


def _entry(row: Any) -> Entry:
    facts = {**row._mapping, "status": LoraStatus(row.status), "preview_key": stored(row.preview_key)}
    return Entry(**facts)
