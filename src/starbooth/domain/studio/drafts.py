"""Drafts: what a guest puts together in an open panel before they order it.

A draft's id makes the order's key, and the row goes in the transaction that places the order: pressed ten
times or handled twice, one order comes of it. What the stars do not suffice for goes into the cart, and the
draft with it; who wants to change it takes it back from there.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from starbooth.base.database import Tx, sql
from starbooth.domain.delivery.owe import Recipient, adopt_message
from starbooth.domain.generations.asking import PhotoReference
from starbooth.domain.generations.cart import read_wish
from starbooth.domain.generations.choices import Choices, read_choices
from starbooth.domain.generations.photos import use_photo
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures
from starbooth.domain.orders.cart import Wish, drop_cart, lock_cart, remember
from starbooth.domain.orders.place import PlacedOrder, Source, order_id_for
from starbooth.domain.studio.errors import NoSuchDraft

DRAFT_LIFE = timedelta(days=1)

_COLUMNS = """
    d.id, d.user_id, d.chat_id, d.message_id, d.asked_by, d.prompt, d.choices,
    p.key AS photo_key, p.width_px, p.height_px
"""
_READ = sql(f"""
    SELECT {_COLUMNS} FROM starbooth.drafts d LEFT JOIN starbooth.photos p ON p.key = d.photo_key
    WHERE d.id = :id AND d.user_id = :user_id AND d.expires_at > now()
    FOR NO KEY UPDATE OF d
""")  # noqa: S608 - our own text
_OPEN = sql("""
    INSERT INTO starbooth.drafts (id, user_id, chat_id, message_id, asked_by, prompt, choices, photo_key,
        expires_at)
    VALUES (:id, :user_id, :chat_id, :message_id, :asked_by, :prompt, CAST(:choices AS jsonb), :photo_key,
        now() + :life)
    ON CONFLICT (id) DO NOTHING
""")
_CHANGE = sql("""
    UPDATE starbooth.drafts SET message_id = :message_id, prompt = :prompt,
        choices = CAST(:choices AS jsonb), expires_at = now() + :life
    WHERE id = :id
""")


@dataclass(frozen=True, kw_only=True)
class Draft:
    """One panel's content. prompt: empty where the words are still to come.

    message_id: the panel's, None until it is sent. asked_by: the guest's message that opened it.
    """

    draft_id: str
    user_id: str
    chat_id: int
    prompt: str
    choices: Choices
    photo: PhotoReference | None = None
    message_id: int | None = None
    asked_by: int | None = None

    @property
    def request_key(self) -> str:
        """The key of the order that this draft becomes."""
        return f"draft:{self.draft_id}"


def draft_id_for(key: str) -> str:
    """The id of the draft that this key opens, in cuid form: the same key, the same id."""
    return order_id_for(f"open draft:{key}")


async def open_draft(tx: Tx, draft: Draft) -> Draft:
    """Keep a draft for a day, and return it as it is kept. Repeat: the first one with this id stays.

    Raises: PhotoGone; NoSuchDraft where it was opened before and has been ordered or put away.
    """
    if draft.photo is not None:
        await use_photo(tx, draft.photo.key, user_id=draft.user_id, life=DRAFT_LIFE)
    if await find_order(tx, draft.draft_id, user_id=draft.user_id):
        raise NoSuchDraft
    await tx.execute(_OPEN, {**_values(draft), "asked_by": draft.asked_by})
    return await read_draft(tx, draft.draft_id, user_id=draft.user_id)


async def read_draft(tx: Tx, draft_id: str, *, user_id: str) -> Draft:
    """This guest's draft, which nobody else changes until `tx` ends.

    Locks: the draft. Raises: NoSuchDraft, also for somebody else's.
    """
    row = (await tx.execute(_READ, {"id": draft_id, "user_id": user_id})).first()
    if row is None:
        raise NoSuchDraft
    return _draft(row)


async def change_draft(tx: Tx, draft: Draft) -> None:
    """Keep a draft that was read in this `tx`, changed, for a day from now. Repeat: harmless."""
    await tx.execute(_CHANGE, _values(draft))


async def drop_draft(tx: Tx, draft_id: str, *, user_id: str) -> None:
    """Put a draft away; its photo goes when nothing needs it. Repeat: harmless."""
    await tx.execute(
        sql("DELETE FROM starbooth.drafts WHERE id = :id AND user_id = :user_id"),
        {"id": draft_id, "user_id": user_id},
    )


async def find_order(tx: Tx, draft_id: str, *, user_id: str) -> str | None:
    """The order that this guest's draft became; None where it became none."""
    found = await tx.scalar(
        sql("SELECT id FROM starbooth.orders WHERE id = :id AND user_id = :user_id"),
        {"id": order_id_for(f"draft:{draft_id}"), "user_id": user_id},
    )
    return None if found is None else str(found)


def request_of(draft: Draft) -> PictureRequest:
    """What a draft asks for once it is ordered."""
    return PictureRequest(
        request_key=draft.request_key,
        user_id=draft.user_id,
        source=Source.BOT,
        prompt=draft.prompt,
        choices=draft.choices,
        photo=draft.photo,
    )


async def order_draft(
    tx: Tx, draft: Draft, *, limits: Limits, recipient: Recipient, price_stars: int
) -> PlacedOrder:
    """Order what a draft holds, which was read in this `tx`, at the price that was shown; the draft goes.

    The panel becomes the message of the order. Repeat: the draft is gone, see `find_order`.
    Raises: what `request_pictures` raises; after any of it `tx` must be rolled back.
    """
    ask = request_of(draft)
    placed = await request_pictures(tx, ask, limits=limits, recipient=recipient, price_stars=price_stars)
    if draft.message_id is not None:
        await adopt_message(tx, placed.order_id, draft.message_id)
    await drop_draft(tx, draft.draft_id, user_id=draft.user_id)
    return placed


async def put_into_cart(tx: Tx, draft_id: str, wish: Wish, *, life: timedelta) -> None:
    """Let a draft wait for stars: from now on it is the cart's. Repeat: harmless."""
    await remember(tx, wish, life=life)
    await drop_draft(tx, draft_id, user_id=wish.user_id)


async def take_from_cart(tx: Tx, draft_id: str, *, user_id: str, message_id: int | None) -> Draft:
    """Make a draft again of what waits for stars, if `draft_id` became that; it starts no more by itself.

    Locks: the guest's account. Repeat: the draft that the first call made.
    Raises: NoSuchDraft where it does not wait, so also where it has started; PhotoGone.
    """
    fresh_id = draft_id_for(f"cart:{draft_id}")
    waiting = await lock_cart(tx, user_id=user_id)
    if waiting is None or waiting.wish.request_key != f"draft:{draft_id}":
        return await read_draft(tx, fresh_id, user_id=user_id)
    ask, recipient = read_wish(waiting.wish)
    if recipient is None:
        raise NoSuchDraft
    await drop_cart(tx, user_id=user_id)
    draft = Draft(
        draft_id=fresh_id,
        user_id=user_id,
        chat_id=recipient.chat_id,
        prompt=ask.prompt,
        choices=ask.choices,
        photo=ask.photo,
        message_id=message_id,
    )
    return await open_draft(tx, draft)


async def renew_draft(tx: Tx, draft_id: str, *, user_id: str) -> Draft:
    """Give a draft whose words were refused another id: its next order is another try, and counts as one.

    Raises: NoSuchDraft.
    """
    draft = await read_draft(tx, draft_id, user_id=user_id)
    await drop_draft(tx, draft_id, user_id=user_id)
    return await open_draft(tx, replace(draft, draft_id=draft_id_for(f"again:{draft_id}")))


async def note_panel(tx: Tx, draft: Draft, message_id: int) -> Draft:
    """Remember which message shows a draft."""
    noted = replace(draft, message_id=message_id)
    await change_draft(tx, noted)
    return noted


async def forget_old_drafts(tx: Tx) -> Sequence[str]:
    """Put drafts away that lay open for too long, and return their ids. Repeat: harmless."""
    rows = await tx.execute(sql("DELETE FROM starbooth.drafts WHERE expires_at <= now() RETURNING id"))
    return list(rows.scalars())


def _values(draft: Draft) -> dict[str, Any]:
    return {
        "id": draft.draft_id,
        "user_id": draft.user_id,
        "chat_id": draft.chat_id,
        "message_id": draft.message_id,
        "prompt": draft.prompt,
        "choices": json.dumps(draft.choices.to_json()),
        "photo_key": None if draft.photo is None else draft.photo.key,
        "life": DRAFT_LIFE,
    }


def _draft(row: Any) -> Draft:
    photo = None
    if row.photo_key is not None:
        photo = PhotoReference(key=row.photo_key, width_px=row.width_px, height_px=row.height_px)
    return Draft(
        draft_id=row.id,
        user_id=row.user_id,
        chat_id=row.chat_id,
        prompt=row.prompt,
        choices=read_choices(row.choices),
        photo=photo,
        message_id=row.message_id,
        asked_by=row.asked_by,
    )
