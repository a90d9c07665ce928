"""Photo sets: what a guest gathers for a model, one open set each. It outlives restarts and the training.

Files whose photo goes are written down in the same transaction, and `gallery.pictures.delete_doomed_files`
sees to them. Finds a guest's own sets only. How photos come into a set is told by `gathering`.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.base.ids import new_id
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.pictures.errors import PhotoFlaw
from starbooth.domain.pictures.looks import Looks, read_looks
from starbooth.domain.trainings.captions import spell_caption
from starbooth.domain.trainings.errors import NoSuchSet, OtherSetOpen

SET_LIFE = timedelta(days=7)
GATHERING_FOR = timedelta(days=1)  # after that photos are for painting again, until the set is touched
LONGEST_NAME = 40

_COLUMNS = """
    id AS set_id, user_id, state, chat_id, message_id, lora_type, name, trigger_word, steps, learning_rate,
    consent_id, refused, kept_until
"""
_OPEN = sql("""
    INSERT INTO starbooth.photo_sets (id, user_id, chat_id, kept_until)
    VALUES (:id, :user_id, :chat_id, now() + :life)
    ON CONFLICT (user_id) WHERE state = 'collecting' DO NOTHING
""")
_FIND = sql(f"""
    SELECT {_COLUMNS} FROM starbooth.photo_sets WHERE user_id = :user_id AND state = 'collecting'
    FOR NO KEY UPDATE
""")  # noqa: S608 - made of constants
_GATHERING = sql("""
    SELECT s.id FROM starbooth.photo_sets s JOIN public."User" u ON u."id" = s.user_id
    WHERE u."telegramId" = :telegram_id AND s.state = 'collecting'
        AND s.touched_at > now() - CAST(:patience AS interval)
""")
_READ = sql(f"""
    SELECT {_COLUMNS} FROM starbooth.photo_sets
    WHERE id = :id AND user_id = :user_id AND state <> 'doomed'
    FOR NO KEY UPDATE
""")  # noqa: S608 - made of constants
_CHANGE = sql("""
    UPDATE starbooth.photo_sets SET state = :state, message_id = :message_id,
        lora_type = CAST(:lora_type AS public."LoraType"), name = :name, trigger_word = :trigger_word,
        steps = :steps, learning_rate = :learning_rate, consent_id = :consent_id,
        refused = CAST(:refused AS jsonb), touched_at = now(),
        kept_until = greatest(kept_until, now() + :life)
    WHERE id = :set_id
""")
_PHOTOS = sql("""
    SELECT p.number, p.key, p.caption, p.width_px, p.height_px, p.facts, s.lora_type, s.trigger_word
    FROM starbooth.set_photos p JOIN starbooth.photo_sets s ON s.id = p.set_id
    WHERE p.set_id = :id ORDER BY p.number
""")
_DOOM_PHOTOS = sql("""
    WITH gone AS (
        DELETE FROM starbooth.set_photos WHERE set_id = :id
        RETURNING key
    ), doomed AS (
        INSERT INTO starbooth.doomed_files (key) SELECT key FROM gone ON CONFLICT DO NOTHING
    )
    SELECT count(*) FROM gone
""")


class SetState(StrEnum):
    """Where a set stands. A doomed one is found no more."""

    COLLECTING = "collecting"
    ORDERED = "ordered"
    DOOMED = "doomed"


@dataclass(frozen=True, kw_only=True)
class Refused:
    """Something that came and was not taken: its file's name, empty for a plain photo, and why not.

    flaw: None where the set was full; then limit is how many had no room. Else limit is as `PhotoUnreadable`
    has it.
    """

    source: str
    name: str
    flaw: PhotoFlaw | None
    limit: int = 0


@dataclass(frozen=True, kw_only=True)
class PhotoSet:
    """A guest's set. What is not chosen yet is None. message_id: the message that shows it."""

    set_id: str
    user_id: str
    state: SetState
    chat_id: int
    message_id: int | None
    lora_type: LoraType | None
    name: str | None
    trigger_word: str | None
    steps: int | None
    learning_rate: float | None
    consent_id: str | None
    refused: tuple[Refused, ...]
    kept_until: datetime


@dataclass(frozen=True, kw_only=True)
class SetPhoto:
    """One photo of a set.

    caption: what is learned from it, the trigger word in it. own_caption: the guest's words, empty where they
    are ours. given_px: its shorter side as it came. keeps_whole: the guest does not want it cut to the face.
    is_cut: it was.
    """

    number: int
    key: str
    caption: str
    own_caption: str
    width_px: int
    height_px: int
    given_px: int
    looks: Looks
    keeps_whole: bool = False
    is_cut: bool = False


async def open_set(tx: Tx, *, user_id: str, chat_id: int, life: timedelta = SET_LIFE) -> PhotoSet:
    """The guest's open set, or a fresh one. Locks: the set. Repeat: the same set."""
    await tx.execute(_OPEN, {"id": new_id(), "user_id": user_id, "chat_id": chat_id, "life": life})
    found = await find_open_set(tx, user_id=user_id)
    if found is None:
        raise NoSuchSet  # ordered at this very moment
    return found


async def find_open_set(tx: Tx, *, user_id: str) -> PhotoSet | None:
    """The set that this guest gathers, which nobody else changes until `tx` ends. Locks: the set."""
    row = (await tx.execute(_FIND, {"user_id": user_id})).first()
    return None if row is None else _set(row)


async def find_gathering(tx: Tx, *, telegram_id: int) -> str | None:
    """The set that photos of whom Telegram knows by this id belong to: open, and used within a day."""
    found = await tx.scalar(_GATHERING, {"telegram_id": str(telegram_id), "patience": GATHERING_FOR})
    return None if found is None else str(found)


async def read_set(tx: Tx, set_id: str, *, user_id: str) -> PhotoSet:
    """This guest's set, open or ordered. Locks: the set. Raises: NoSuchSet, also for a doomed one."""
    row = (await tx.execute(_READ, {"id": set_id, "user_id": user_id})).first()
    if row is None:
        raise NoSuchSet
    return _set(row)


async def read_open_set(tx: Tx, set_id: str, *, user_id: str) -> PhotoSet:
    """This guest's set while it is gathered. Locks: the set. Raises: NoSuchSet."""
    found = await read_set(tx, set_id, user_id=user_id)
    if found.state is not SetState.COLLECTING:
        raise NoSuchSet
    return found


async def read_set_photos(tx: Tx, set_id: str) -> list[SetPhoto]:
    """The photos of a set in order of their numbers, captions as they are learned."""
    rows = await tx.execute(_PHOTOS, {"id": set_id})
    return [_photo(row) for row in rows]


async def change_set(tx: Tx, photo_set: PhotoSet, *, life: timedelta = SET_LIFE) -> None:
    """Keep a set that was read in this `tx`, changed, for this long from now at least. Repeat: harmless."""
    facts = dict(vars(photo_set))
    facts.pop("kept_until")
    await tx.execute(
        _CHANGE,
        {
            **facts,
            "state": photo_set.state.value,
            "lora_type": photo_set.lora_type and photo_set.lora_type.value,
            "refused": json.dumps({each.source: refused_facts(each) for each in photo_set.refused}),
            "life": life,
        },
    )


async def reopen_set(tx: Tx, set_id: str, *, user_id: str) -> PhotoSet:
    """Gather on in a set that was ordered: for another try with the same photos. Repeat: harmless.

    An open set without photos makes way. Raises: NoSuchSet; OtherSetOpen where other photos are gathered.
    """
    wanted = await read_set(tx, set_id, user_id=user_id)
    if wanted.state is SetState.COLLECTING:
        return wanted
    other = await find_open_set(tx, user_id=user_id)
    if other is not None:
        if await read_set_photos(tx, other.set_id):
            raise OtherSetOpen
        await doom_set(tx, other.set_id, user_id=user_id)
    await tx.execute(
        sql(
            "UPDATE starbooth.photo_sets SET state = 'collecting', message_id = NULL, touched_at = now(),"
            " kept_until = greatest(kept_until, now() + :life) WHERE id = :id"
        ),
        {"id": set_id, "life": SET_LIFE},
    )
    return await read_set(tx, set_id, user_id=user_id)


async def doom_set(tx: Tx, set_id: str, *, user_id: str) -> int:
    """Use a set no more: its photos go at once; returns how many. Repeat: harmless."""
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.photo_sets SET state = 'doomed'"
            " WHERE id = :id AND user_id = :user_id RETURNING 1"
        ),
        {"id": set_id, "user_id": user_id},
    )
    if rows.first() is None:
        return 0
    return int(
        await tx.scalar(
            _DOOM_PHOTOS,
            {
                "id": set_id,
            },
        )
        or 0
    )


def _set(row: Any) -> PhotoSet:
    facts = dict(row._mapping)
    refused: dict[str, Any] = facts.pop("refused")
    return PhotoSet(
        **{
            **facts,
            "state": SetState(row.state),
            "lora_type": None if row.lora_type is None else LoraType(row.lora_type),
            "refused": tuple(_refused(source, each) for source, each in refused.items()),
        }
    )


def refused_facts(refused: Refused) -> dict[str, Any]:
    """How the row has it."""
    return {
        "name": refused.name,
        "flaw": refused.flaw and refused.flaw.value,
        "limit": refused.limit,
    }


def _refused(source: str, facts: Any) -> Refused:
    flaw = facts["flaw"]
    return Refused(
        source=source,
        name=facts["name"],
        flaw=None if flaw is None else PhotoFlaw(flaw),
        limit=facts["limit"],
    )


def _photo(row: Any) -> SetPhoto:
    lora_type = None if row.lora_type is None else LoraType(row.lora_type)
    return SetPhoto(
        number=row.number,
        key=row.key,
        caption=spell_caption(row.caption, lora_type, row.trigger_word),
        own_caption=row.caption,
        width_px=row.width_px,
        height_px=row.height_px,
        given_px=row.facts["given_px"],
        looks=read_looks(row.facts["looks"]),
        keeps_whole=row.facts.get("keeps_whole", False),
        is_cut=row.facts.get("is_cut", False),
    )
