"""Lists of models that are open: one per message, with what it shows. Buttons name it by its number."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.domain.models.errors import NoSuchList
from starbooth.domain.models.shelves import Goes, Place, Shelf, Wanted

_LIFE = timedelta(days=90)
_COLUMNS = "id, user_id, shelf, words, place_rank, place_id, goes, lora_id"
_OPEN = sql(f"""
    INSERT INTO starbooth.model_lists (user_id, request_key, shelf) VALUES (:user_id, :request_key, :shelf)
    ON CONFLICT (request_key) DO UPDATE SET used_at = now() WHERE model_lists.user_id = excluded.user_id
    RETURNING {_COLUMNS}
""")  # noqa: S608 - made of constants
_READ = sql(f"SELECT {_COLUMNS} FROM starbooth.model_lists WHERE id = :id AND user_id = :user_id")  # noqa: S608
_FIND = sql(f"""
    SELECT {_COLUMNS} FROM starbooth.model_lists WHERE user_id = :user_id AND message_id = :message_id
    ORDER BY id DESC LIMIT 1
""")  # noqa: S608 - made of constants
_MOVE = sql("""
    UPDATE starbooth.model_lists SET shelf = :shelf, words = :words, place_rank = :place_rank,
        place_id = :place_id, goes = :goes, lora_id = :lora_id, used_at = now()
    WHERE id = :id AND user_id = :user_id
""")


@dataclass(frozen=True, kw_only=True)
class ModelList:
    """An open list. `place` and `goes`: how its page is found, as `read_shelf` takes them. lora_id: the model
    that is open in it.
    """

    list_id: int
    wanted: Wanted
    place: Place | None = None
    goes: Goes = Goes.ON
    lora_id: str | None = None

    def at(self, place: Place | None, goes: Goes = Goes.ON) -> "ModelList":
        """The same list at another page."""
        return replace(self, place=place, goes=goes, lora_id=None)

    def showing(self, shelf: Shelf, words: Sequence[str] = ()) -> "ModelList":
        """The same list with other models, at their first page."""
        wanted = replace(self.wanted, shelf=shelf, words=tuple(words))
        return replace(self, wanted=wanted, place=None, goes=Goes.ON, lora_id=None)

    def opening(self, lora_id: str | None) -> "ModelList":
        """The same list with this model open, or none."""
        return replace(self, lora_id=lora_id)


async def open_list(tx: Tx, *, user_id: str, request_key: str, shelf: Shelf = Shelf.OWN) -> ModelList:
    """A list at its first page. Repeat: the same key is the same list. Raises: NoSuchList where the key is
    somebody else's.
    """
    values = {"user_id": user_id, "request_key": request_key, "shelf": shelf.value}
    return _list((await tx.execute(_OPEN, values)).first())


async def read_list(tx: Tx, list_id: int, *, user_id: str) -> ModelList:
    """This guest's open list. Raises: NoSuchList."""
    return _list((await tx.execute(_READ, {"id": list_id, "user_id": user_id})).first())


async def note_message(tx: Tx, list_id: int, message_id: int, *, user_id: str) -> None:
    """Remember which message shows this list. Repeat: harmless."""
    await tx.execute(
        sql(
            "UPDATE starbooth.model_lists SET message_id = :message_id WHERE id = :id AND user_id = :user_id"
        ),
        {"id": list_id, "message_id": message_id, "user_id": user_id},
    )


async def find_list(tx: Tx, message_id: int, *, user_id: str) -> ModelList:
    """This guest's list in this message. Raises: NoSuchList."""
    return _list((await tx.execute(_FIND, {"message_id": message_id, "user_id": user_id})).first())


async def move_list(tx: Tx, shown: ModelList) -> None:
    """Remember what it shows now. Repeat: harmless."""
    await tx.execute(
        _MOVE,
        {
            "id": shown.list_id,
            "user_id": shown.wanted.user_id,
            "shelf": shown.wanted.shelf.value,
            "words": list(shown.wanted.words),
            "place_rank": shown.place and shown.place.rank,
            "place_id": shown.place and shown.place.lora_id,
            "goes": shown.goes.value,
            "lora_id": shown.lora_id,
        },
    )


async def forget_old_lists(tx: Tx) -> None:
    """Forget lists that nobody has touched for months. Repeat: harmless."""
    await tx.execute(
        sql("DELETE FROM starbooth.model_lists WHERE used_at < now() - CAST(:life AS interval)"),
        {"life": _LIFE},
    )


def _list(row: Any) -> ModelList:
    if row is None:
        raise NoSuchList
    wanted = Wanted(user_id=row.user_id, shelf=Shelf(row.shelf), words=tuple(row.words))
    place = None if row.place_id is None else Place(rank=row.place_rank, lora_id=row.place_id)
    return ModelList(list_id=row.id, wanted=wanted, place=place, goes=Goes(row.goes), lora_id=row.lora_id)
