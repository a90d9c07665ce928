"""Galleries that are open: one per message, with what it shows and where. Buttons name it by its number."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.domain.gallery.errors import NoSuchGallery
from starbooth.domain.gallery.pages import Goes, Place, Wanted

_LIFE = timedelta(days=90)
_COLUMNS = "id, user_id, favourites_only, words, place_at, place_id, goes"
_OPEN = sql(f"""
    INSERT INTO starbooth.galleries (user_id, request_key, words) VALUES (:user_id, :request_key, :words)
    ON CONFLICT (request_key) DO UPDATE SET used_at = now() WHERE galleries.user_id = excluded.user_id
    RETURNING {_COLUMNS}
""")  # noqa: S608 - made of constants
_READ = sql(f"SELECT {_COLUMNS} FROM starbooth.galleries WHERE id = :id AND user_id = :user_id")  # noqa: S608
_FIND = sql(f"""
    SELECT {_COLUMNS} FROM starbooth.galleries WHERE user_id = :user_id AND message_id = :message_id
    ORDER BY id DESC LIMIT 1
""")  # noqa: S608 - made of constants
_MOVE = sql("""
    UPDATE starbooth.galleries SET favourites_only = :favourites_only, words = :words, place_at = :place_at,
        place_id = :place_id, goes = :goes, used_at = now()
    WHERE id = :id AND user_id = :user_id
""")


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """An open gallery. `place` and `goes`: how its page is found, as `read_page` takes them."""

    gallery_id: int
    wanted: Wanted
    place: Place | None = None
    goes: Goes = Goes.OLDER

    def at(self, place: Place | None, goes: Goes = Goes.OLDER) -> "Gallery":
        """The same gallery at another page."""
        return replace(self, place=place, goes=goes)

    def showing(self, *, favourites_only: bool, words: Sequence[str]) -> "Gallery":
        """The same gallery with other pictures, at their first page."""
        wanted = replace(self.wanted, favourites_only=favourites_only, words=tuple(words))
        return replace(self, wanted=wanted, place=None, goes=Goes.OLDER)


async def open_gallery(tx: Tx, *, user_id: str, request_key: str, words: Sequence[str] = ()) -> Gallery:
    """A gallery at its first page. Repeat: the same key is the same gallery. Raises: NoSuchGallery where the
    key is somebody else's.
    """
    values = {"user_id": user_id, "request_key": request_key, "words": list(words)}
    return _gallery((await tx.execute(_OPEN, values)).first())


async def read_gallery(tx: Tx, gallery_id: int, *, user_id: str) -> Gallery:
    """This guest's open gallery. Raises: NoSuchGallery."""
    return _gallery((await tx.execute(_READ, {"id": gallery_id, "user_id": user_id})).first())


async def note_message(tx: Tx, gallery_id: int, message_id: int, *, user_id: str) -> None:
    """Remember which message shows this gallery. Repeat: harmless."""
    await tx.execute(
        sql("UPDATE starbooth.galleries SET message_id = :message_id WHERE id = :id AND user_id = :user_id"),
        {"id": gallery_id, "message_id": message_id, "user_id": user_id},
    )


async def find_gallery(tx: Tx, message_id: int, *, user_id: str) -> Gallery:
    """This guest's gallery in this message. Raises: NoSuchGallery."""
    return _gallery((await tx.execute(_FIND, {"message_id": message_id, "user_id": user_id})).first())


async def move_gallery(tx: Tx, gallery: Gallery) -> None:
    """Remember what it shows now. Repeat: harmless."""
    wanted, place = gallery.wanted, gallery.place
    await tx.execute(
        _MOVE,
        {
            "id": gallery.gallery_id,
            "user_id": wanted.user_id,
            "favourites_only": wanted.favourites_only,
            "words": list(wanted.words),
            "place_at": place and place.at,
            "place_id": place and place.picture_id,
            "goes": gallery.goes.value,
        },
    )


async def forget_old_galleries(tx: Tx) -> None:
    """Forget galleries that nobody has touched for months. Repeat: harmless."""
    await tx.execute(
        sql("DELETE FROM starbooth.galleries WHERE used_at < now() - CAST(:life AS interval)"),
        {"life": _LIFE},
    )


def _gallery(row: Any) -> Gallery:
    if row is None:
        raise NoSuchGallery
    wanted = Wanted(user_id=row.user_id, favourites_only=row.favourites_only, words=tuple(row.words))
    place = None if row.place_id is None else Place(at=row.place_at, picture_id=row.place_id)
    return Gallery(gallery_id=row.id, wanted=wanted, place=place, goes=Goes(row.goes))
