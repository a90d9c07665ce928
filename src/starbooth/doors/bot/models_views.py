"""Reading and drawing lists of models and the models in them, and putting them into the chat."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
import asyncio
from dataclasses import dataclass, field, replace

from starbooth.base.database import Tx
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.models.cards import ModelCard, read_card
from starbooth.domain.models.earnings import read_earnings
from starbooth.domain.models.errors import NoSuchModel
from starbooth.domain.models.lists import ModelList
from starbooth.domain.models.makers import read_maker
from starbooth.domain.models.previews import list_candidates, read_preview, read_tile
from starbooth.domain.models.shelves import Shelf, read_shelf
from starbooth.domain.pictures.thumbnail import blank_sheet, contact_sheet
from starbooth.domain.studio.remembered import read_remembered
from starbooth.doors.bot import models_cards as cards
from starbooth.doors.bot import models_screens as screens
from starbooth.doors.bot.desk import Desk, Met
from starbooth.outside.storage.contract import Storage
from starbooth.outside.telegram.errors import MessageGone, NotModified

CANDIDATES = 6


@dataclass(frozen=True, kw_only=True)
class View:
    """What the message is to show: a sheet of these files, or one of them large."""

    screen: Screen
    keys: tuple[str | None, ...] = ()
    is_sheet: bool = True
    toast: str = ""
    is_alert: bool = field(default=False)

    def saying(self, toast: str, *, is_alert: bool = False) -> "View":
        """The same, with these words where the button was pressed."""
        return replace(self, toast=toast, is_alert=is_alert)


async def view_page(tx: Tx, met: Met, shown: ModelList) -> View:
    """The page that the list is at; the first one where nothing is left there."""
    page = await read_shelf(tx, shown.wanted, limit=screens.PAGE, place=shown.place, goes=shown.goes)
    if not page.models and shown.place is not None:
        shown = shown.at(None)
        page = await read_shelf(tx, shown.wanted, limit=screens.PAGE)
    is_own = shown.wanted.shelf is Shelf.OWN
    earned = await read_earnings(tx, maker_id=met.guest.user_id) if is_own else None
    screen = screens.render_page(met.words, shown, page, earned=earned)
    return View(screen=screen, keys=tuple(each.preview_key for each in page.models))


async def view_card(tx: Tx, desk: Desk, met: Met, shown: ModelList, card: ModelCard) -> View:
    """One model of the list."""
    chosen = (await read_remembered(tx, user_id=met.guest.user_id)).choices.loras
    screen = cards.render_card(
        met.words,
        shown,
        card,
        is_used=any(each.lora_id == card.lora_id for each in chosen),
        share_percent=desk.terms.limits.maker_share_percent,
    )
    return view_of(screen, card)


async def view_share(tx: Tx, desk: Desk, met: Met, shown: ModelList, card: ModelCard) -> View:
    """Who may use the model."""
    maker = await read_maker(tx, user_id=met.guest.user_id)
    share_percent = desk.terms.limits.maker_share_percent
    return view_of(cards.render_share(met.words, shown, card, maker, share_percent=share_percent), card)


async def view_previews(tx: Tx, met: Met, shown: ModelList, card: ModelCard) -> View:
    """The pictures that may become the model's preview."""
    found = await list_candidates(tx, card.lora_id, user_id=met.guest.user_id, limit=CANDIDATES)
    screen = cards.render_previews(met.words, shown, card, candidates=len(found))
    return View(screen=screen, keys=tuple(each.file_key for each in found))


async def read_own(tx: Tx, met: Met, lora_id: str) -> ModelCard:
    """The guest's own model. Raises: NoSuchModel, also for a public one of somebody else."""
    card = await read_card(tx, lora_id, user_id=met.guest.user_id)
    if not card.is_own:
        raise NoSuchModel
    return card


async def put(desk: Desk, view: View, *, chat_id: int, message_id: int | None) -> int:
    """Make the message this view, or send one where there is none; the message that shows it.

    Repeat: harmless where there is a message.
    """
    body = await _draw(desk.storage, view)
    if message_id is not None:
        try:
            await desk.messenger.edit_picture(view.screen, body, chat_id=chat_id, message_id=message_id)
        except NotModified:
            return message_id
        except MessageGone:
            pass
        else:
            return message_id
    return await desk.messenger.send_picture(view.screen, body, chat_id=chat_id)


def view_of(screen: Screen, card: ModelCard) -> View:
    """A page about this model."""
    return View(screen=screen, keys=(card.preview_key,), is_sheet=False)


async def _draw(storage: Storage, view: View) -> bytes:
    """The preview as it is, or the sheet; a plain ground where there is no picture to show."""
    if not view.is_sheet:
        body = await read_preview(storage, view.keys[0])
        return body if body is not None else await asyncio.to_thread(blank_sheet)
    tiles = list(await asyncio.gather(*(read_tile(storage, key) for key in view.keys)))
    if not tiles:
        return await asyncio.to_thread(blank_sheet)
    numbers = [str(place + 1) for place in range(len(tiles))]
    return await asyncio.to_thread(contact_sheet, tiles, columns=screens.COLUMNS, numbers=numbers)
