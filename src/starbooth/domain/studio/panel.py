"""A panel: what a guest sees and changes of a draft, or of what is remembered of them. Knows no wording."""

from dataclasses import dataclass, replace
from datetime import timedelta

from starbooth.base.database import Tx, sql
from starbooth.domain.catalog.engines import list_engines
from starbooth.domain.catalog.offers import Offer
from starbooth.domain.generations.choices import Choices
from starbooth.domain.generations.errors import PhotoRefused
from starbooth.domain.generations.quote import ChosenLora, quote_with_wait
from starbooth.domain.studio.drafts import Draft, change_draft, read_draft
from starbooth.domain.studio.fitting import Dropped, fit
from starbooth.domain.studio.remembered import read_remembered, remember_choices


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Choices that can be had now, and what they come to.

    draft: None for what is remembered. can_start: false where the model cannot start from the draft's photo.
    price_stars: of one order. wait: None where nothing is known yet. dropped: what had to go just now.
    """

    user_id: str
    draft: Draft | None
    choices: Choices
    asks_first: bool
    offer: Offer
    takes_negative: bool
    can_start: bool
    price_stars: int
    wait: timedelta | None
    loras: tuple[ChosenLora, ...]
    dropped: tuple[Dropped, ...]


async def read_panel(tx: Tx, draft_id: str | None, *, user_id: str) -> Panel:
    """The panel of this draft, or of what is remembered. What cannot be had any more is dropped for good.

    Locks: the draft. Repeat: harmless. Raises: NoSuchDraft.
    """
    draft = None if draft_id is None else await read_draft(tx, draft_id, user_id=user_id)
    remembered = await read_remembered(tx, user_id=user_id)
    choices = remembered.choices if draft is None else draft.choices
    return await _look_at(tx, draft, choices, asks_first=remembered.asks_first, user_id=user_id)


async def change_panel(tx: Tx, panel: Panel, choices: Choices) -> Panel:
    """The panel with these choices, as far as they can be had; kept.

    Repeat: harmless. Raises: OutOfRange, CountRefused; then `tx` must be rolled back.
    """
    return await _look_at(tx, panel.draft, choices, asks_first=panel.asks_first, user_id=panel.user_id)


async def newest_seed(tx: Tx, *, user_id: str) -> int | None:
    """The seed of the guest's newest picture; None where there is none."""
    found = await tx.scalar(
        sql("""
            SELECT t.seed FROM starbooth.orders o JOIN starbooth.tickets t ON t.order_id = o.id
            WHERE o.user_id = :user_id AND o.kind = 'generation' AND o.state = 'done' AND t.state = 'done'
            ORDER BY o.created_at DESC, t.number LIMIT 1
        """),
        {"user_id": user_id},
    )
    return None if found is None else int(found)


async def _look_at(tx: Tx, draft: Draft | None, choices: Choices, *, asks_first: bool, user_id: str) -> Panel:
    photo = None if draft is None else draft.photo
    fitted = await fit(tx, choices, user_id=user_id, has_photo=photo is not None)
    size_px = None if photo is None else (photo.width_px, photo.height_px)
    slots = sum(each.slots for each in await list_engines(tx) if each.is_on) or 1
    can_start = True
    try:
        quoted = await quote_with_wait(
            tx, fitted.choices, user_id=user_id, slots=slots, photo_size_px=size_px
        )
    except PhotoRefused:
        can_start = False
        quoted = await quote_with_wait(tx, fitted.choices, user_id=user_id, slots=slots)
    return Panel(
        user_id=user_id,
        draft=await _keep(tx, draft, fitted.choices, user_id=user_id),
        choices=fitted.choices,
        asks_first=asks_first,
        offer=fitted.offer,
        takes_negative=fitted.takes_negative,
        can_start=can_start,
        price_stars=quoted.price_stars,
        wait=quoted.wait,
        loras=quoted.loras,
        dropped=fitted.dropped,
    )


async def _keep(tx: Tx, draft: Draft | None, choices: Choices, *, user_id: str) -> Draft | None:
    if draft is None:
        if (await read_remembered(tx, user_id=user_id)).choices != choices:
            await remember_choices(tx, choices, user_id=user_id)
        return None
    changed = replace(draft, choices=choices)
    if changed != draft:
        await change_draft(tx, changed)
    return changed
