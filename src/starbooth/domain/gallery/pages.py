"""Pages of a guest's pictures, newest first, found by key: the hundred-thousandth costs what the first costs.

A page that is searched for looks through a window of pictures only. Where that does not fill it, the index of
words has the rest, if it is not too much to put in order; else the page says how far it has looked, and the
next one goes on from there. So a search costs the same however many pictures a guest has.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any

from sqlalchemy import TextClause

from starbooth.base.database import Tx, sql
from starbooth.domain.gallery.errors import NothingToSearch
from starbooth.outside.storage.store import is_key

MOST_WORDS = 8
_LONGEST_WORD = 40  # as `starbooth.picture_words` cuts them


class Goes(StrEnum):
    """Where a page lies from its place."""

    OLDER = "older"
    NEWER = "newer"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Which pictures. `words`: as `read_words` gives them; each must begin a word of the prompt."""

    user_id: str
    favourites_only: bool = False
    words: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Reach:
    """How far one page of a search looks: pictures looked through, gathered by the index, put in order."""

    window: int = 300
    most_gathered: int = 8_000
    most_sorted: int = 300


_REACH = Reach()


@dataclass(frozen=True, kw_only=True)
class Place:
    """A place among pictures: at the one of this key, which need not be there any more. `at`: naive UTC."""

    at: datetime
    picture_id: str


@dataclass(frozen=True, kw_only=True)
class PageEntry:
    """One picture on a page. `file_key`: where it lies in storage; None where another program wrote it.

    order_id, number: the ticket that it came of, which names its thumbnail; None as with `file_key`.
    """

    picture_id: str
    at: datetime
    prompt: str
    file_key: str | None
    order_id: str | None
    number: int | None
    is_favourite: bool

    @property
    def place(self) -> Place:
        """Where it lies."""
        return Place(at=self.at, picture_id=self.picture_id)


@dataclass(frozen=True, kw_only=True)
class Page:
    """Some pictures, newest first, and the places from which `read_page` has the pages beside it, if any.

    searched_to: only a part was searched, down or up to this moment, and the page beside it goes on from
    there; None where everything up to the page's end was.
    """

    pictures: tuple[PageEntry, ...]
    newer: Place | None
    older: Place | None
    searched_to: datetime | None = None


# The keys of a list, from a place on. Keys alone are read from the index alone, so there is no cheaper way to
# them, whatever the planner thinks of this guest; the rows are looked up by them.
_ALL = """
    SELECT "id", "createdAt" AS at FROM public."Generation"
    WHERE "userId" = :user_id AND ("createdAt", "id") {beyond} (:at, :id)
    ORDER BY "createdAt" {order}, "id" {order}
"""
_FAVOURITES = """
    SELECT generation_id AS "id", picture_at AS at FROM starbooth.favourites
    WHERE user_id = :user_id AND (picture_at, generation_id) {beyond} (:at, :id)
    ORDER BY picture_at {order}, generation_id {order}
"""
_WAYS = {Goes.OLDER: {"beyond": "<", "order": "DESC"}, Goes.NEWER: {"beyond": ">", "order": "ASC"}}
_FIRST, _LAST = datetime(1, 1, 1), datetime(9999, 12, 31)  # noqa: DTZ001 - naive, as the contract has it
_ENDS = {Goes.OLDER: Place(at=_LAST, picture_id="~"), Goes.NEWER: Place(at=_FIRST, picture_id="")}

_ENTRY = """
    g."id" AS picture_id, g."createdAt" AS at, g."prompt",
    coalesce(g.metadata ->> 'fileKey', substring(g."imageUrl" from '/files/([^?#]+)$')) AS file_key,
    g.metadata ->> 'orderId' AS order_id, g.metadata -> 'number' AS number,
    EXISTS (SELECT FROM starbooth.favourites m WHERE m.generation_id = g."id") AS is_favourite
"""


# The owner stands in the words already: asked for here once more, it would lead the planner astray.
_HAS = """starbooth.picture_words(g."userId", g."prompt") @@ CAST({query} AS tsquery)"""
_FITS = """starbooth.searched_text(g."prompt") ~ ALL (CAST(:patterns AS text[]))"""

# Bounds stand in the texts. A plan that is made before they are known sorts everything that a guest has.


@cache
def _plain(goes: Goes, most: int, *, favourites: bool) -> TextClause:
    """The pictures as they follow."""
    way = _WAYS[goes]
    keys = (_FAVOURITES if favourites else _ALL).format(**way)
    return sql(f"""
        SELECT {_ENTRY} FROM ({keys} LIMIT {most:d}) k JOIN public."Generation" g ON g."id" = k."id"
        ORDER BY k.at {way["order"]}, k."id" {way["order"]}
    """)  # noqa: S608 - made of constants and numbers


@cache
def _window(goes: Goes, most: int, reach: Reach, *, favourites: bool) -> TextClause:
    """Ids of what fits in the window, then the last one in it if it is full."""
    way = _WAYS[goes]
    keys = (_FAVOURITES if favourites else _ALL).format(**way)
    return sql(f"""
        (SELECT k."id" AS id, k.at, true AS is_hit
         FROM ({keys} LIMIT {reach.window:d}) k JOIN public."Generation" g ON g."id" = k."id"
         WHERE {_FITS}
         ORDER BY k.at {way["order"]}, k."id" {way["order"]} LIMIT {most:d})
        UNION ALL
        (SELECT k."id", k.at, false FROM ({keys} OFFSET {reach.window - 1:d} LIMIT 1) k)
    """)  # noqa: S608 - made of constants and numbers


@cache
def _expected(words: int) -> TextClause:
    """Ask the planner, which knows what is frequent, how many pictures each of so many words is in."""
    looks = [
        f"""SELECT FROM public."Generation" g WHERE {_HAS.format(query=f":query_{place}")}"""
        for place in range(words)
    ]
    # One look that finds nothing, so that there are always several.
    return sql("EXPLAIN (FORMAT JSON) SELECT WHERE false UNION ALL " + " UNION ALL ".join(looks))


@cache
def _indexed(goes: Goes, most: int, reach: Reach) -> TextClause:
    """The page by the index of words, and how many pictures that found, counted up to one too many."""
    way = _WAYS[goes]
    return sql(f"""
        WITH found AS MATERIALIZED (
            SELECT g."id", g."userId", g."createdAt", {_FITS} AS fits FROM public."Generation" g
            WHERE {_HAS.format(query=":query")} LIMIT {reach.most_sorted + 1:d})
        SELECT (SELECT count(*) FROM found) AS total, ARRAY(
            SELECT g."id" FROM found g
            WHERE g."userId" = :user_id AND g.fits AND (g."createdAt", g."id") {way["beyond"]} (:at, :id)
            ORDER BY g."createdAt" {way["order"]}, g."id" {way["order"]} LIMIT {most:d}) AS ids
    """)  # noqa: S608 - made of constants and numbers


# By the keys alone: asked for the owner too, the planner might read everything that is theirs.
_BY_ID = sql(f"""
    SELECT {_ENTRY}, g."userId" AS user_id FROM public."Generation" g
    WHERE g."id" = ANY (CAST(:ids AS text[]))
""")  # noqa: S608 - made of constants


async def read_words(tx: Tx, text: str) -> tuple[str, ...]:
    """What to search by: the different words of a guest's text, as the index has them, up to `MOST_WORDS`.

    Raises: NothingToSearch.
    """
    split = sql("SELECT regexp_split_to_array(starbooth.searched_text(:text), '[^[:alnum:]]+')")
    found: list[str] = await tx.scalar(split, {"text": text.replace("\0", " ")}) or []
    words = tuple(dict.fromkeys(word[:_LONGEST_WORD] for word in found if word))
    if not words:
        raise NothingToSearch
    return words[:MOST_WORDS]


async def read_page(
    tx: Tx,
    wanted: Wanted,
    *,
    limit: int,
    place: Place | None = None,
    goes: Goes = Goes.OLDER,
    reach: Reach = _REACH,
) -> Page:
    """The page that lies older or newer than this place; without a place, the newest one (or the oldest).

    Who goes newer and finds no full page gets the newest one, so that the first page is always full. A place
    of somebody else's shows nothing of theirs. Repeat: harmless.
    """
    found = await _find(tx, wanted, place or _ENDS[goes], goes, limit, reach)
    if goes is Goes.NEWER and place and not found.is_more and found.stopped_at is None:
        return await read_page(tx, wanted, limit=limit, reach=reach)
    shown = found.entries if goes is Goes.OLDER else found.entries[::-1]
    onward = found.stopped_at or (found.entries[-1].place if found.is_more and found.entries else None)
    back = place and (found.entries[0].place if found.entries else place)
    newer, older = (back, onward) if goes is Goes.OLDER else (onward, back)
    return Page(
        pictures=tuple(shown),
        newer=newer,
        older=older,
        searched_to=None if found.stopped_at is None else found.stopped_at.at,
    )


@dataclass(frozen=True, kw_only=True)
class _Found:
    """Entries in the order of looking. is_more: there is another one. stopped_at: the looking ended there."""

    entries: Sequence[PageEntry]
    is_more: bool
    stopped_at: Place | None = None


async def _find(tx: Tx, wanted: Wanted, place: Place, goes: Goes, limit: int, reach: Reach) -> _Found:
    values: dict[str, Any] = {"user_id": wanted.user_id, "at": place.at, "id": place.picture_id}
    favourites, most = wanted.favourites_only, limit + 1
    if not wanted.words:
        rows = (await tx.execute(_plain(goes, most, favourites=favourites), values)).all()
        return _Found(entries=[_entry(row) for row in rows[:limit]], is_more=len(rows) > limit)
    values["patterns"] = [f"(^|[^[:alnum:]]){word}" for word in wanted.words]
    rows = (await tx.execute(_window(goes, most, reach, favourites=favourites), values)).all()
    ids = [row.id for row in rows if row.is_hit]
    stopped_at = next((Place(at=row.at, picture_id=row.id) for row in rows if not row.is_hit), None)
    if len(ids) < most and stopped_at is not None and not favourites:
        indexed = await _look_up(tx, wanted, values, _indexed(goes, most, reach), reach)
        if indexed is not None:
            ids, stopped_at = indexed, None
    is_full = len(ids) > limit
    entries = await _read_entries(tx, wanted.user_id, ids[:limit])
    return _Found(entries=entries, is_more=is_full, stopped_at=None if is_full else stopped_at)


async def _look_up(
    tx: Tx, wanted: Wanted, values: dict[str, Any], indexed: TextClause, reach: Reach
) -> list[str] | None:
    """The pictures that fit by the index; None where they are too many to gather or to put in order."""
    lexemes = await _affordable(tx, wanted, reach)
    if not lexemes:
        return None
    row = (await tx.execute(indexed, {**values, "query": " & ".join(lexemes)})).one()
    return None if row.total > reach.most_sorted else list(row.ids)


async def _affordable(tx: Tx, wanted: Wanted, reach: Reach) -> list[str]:
    """The words as the index has them, the rarest first, as many as can be gathered in time.

    They are letters and digits, so nothing is to escape. What fits is looked at again, by all the words.
    """
    key = hashlib.md5(wanted.user_id.encode(), usedforsecurity=False).hexdigest()[:8]
    lexemes = [f"'{key}{word}':*" for word in wanted.words]
    queries = {f"query_{place}": lexeme for place, lexeme in enumerate(lexemes)}
    (explained,) = (await tx.execute(_expected(len(lexemes)), queries)).scalars()
    plans = explained[0]["Plan"]["Plans"][-len(lexemes) :]
    left = reach.most_gathered
    chosen = []
    for rows, lexeme in sorted(
        (int(plan["Plan Rows"]), lexeme) for plan, lexeme in zip(plans, lexemes, strict=True)
    ):
        left -= rows
        if left < 0:
            break
        chosen.append(lexeme)
    return chosen


async def _read_entries(tx: Tx, user_id: str, ids: Sequence[str]) -> list[PageEntry]:
    rows = await tx.execute(_BY_ID, {"ids": list(ids)})
    found = {row.picture_id: _entry(row) for row in rows if row.user_id == user_id}
    return [found[each] for each in ids if each in found]  # one may have been deleted just now


def _entry(row: Any) -> PageEntry:
    number, file_key = row.number, row.file_key
    return PageEntry(
        picture_id=row.picture_id,
        at=row.at,
        prompt=row.prompt,
        file_key=file_key if file_key is not None and is_key(file_key) else None,
        order_id=row.order_id,
        number=number if isinstance(number, int) else None,
        is_favourite=row.is_favourite,
    )
