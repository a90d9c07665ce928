"""Reading a set of photos and putting it into the chat: one message, its contact sheet above its words."""

from starbooth.outside.telegram import lean  # noqa: F401  # before aiogram, or it builds every model

# isort: split
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from starbooth.base.database import Tx
from starbooth.domain.catalog.tables import LoraType
from starbooth.domain.delivery.screen import Screen
from starbooth.domain.pictures.cropping import crop
from starbooth.domain.pictures.decoding import in_turn
from starbooth.domain.pictures.thumbnail import contact_sheet, thumbnail
from starbooth.domain.trainings.assistant import cut_of, review
from starbooth.domain.trainings.consent import read_consent
from starbooth.domain.trainings.offers import list_training_offers
from starbooth.domain.trainings.photo_sets import PhotoSet, SetPhoto, read_set_photos
from starbooth.doors.bot.desk import Desk, Met
from starbooth.doors.bot.train_choices import render_advanced, render_choices, render_consent
from starbooth.doors.bot.train_moves import Page
from starbooth.doors.bot.train_screens import (
    TrainPanel,
    render_captions,
    render_cuts,
    render_photos,
    render_remove,
)
from starbooth.outside.storage.contract import Storage, StoredFileMissing
from starbooth.outside.telegram.errors import MessageGone, NotModified

_FEW, _COLUMNS_OF_FEW, _COLUMNS = 9, 3, 5
_SHEET_PAGES = frozenset({Page.PHOTOS, Page.REMOVE, Page.CUTS, Page.CAPTIONS})


@dataclass(frozen=True, kw_only=True)
class SetView:
    """What the message is to show. photos: those of the sheet; None leaves the picture as it is.

    are_cut: as they would be cut. marked: numbers that something is wrong with.
    """

    screen: Screen
    photos: Sequence[SetPhoto] | None = None
    lora_type: LoraType | None = None
    are_cut: bool = False
    marked: frozenset[int] = frozenset()
    toast: str = ""


async def read_train_panel(tx: Tx, photo_set: PhotoSet) -> TrainPanel:
    """Everything about a set that was read in this `tx`."""
    photos = tuple(await read_set_photos(tx, photo_set.set_id))
    offers = tuple(each for each in await list_training_offers(tx) if each.is_on)
    offer = next((each for each in offers if each.lora_type is photo_set.lora_type), None)
    consent = None
    if photo_set.consent_id is not None:
        consent = await read_consent(tx, photo_set.consent_id, user_id=photo_set.user_id)
    return TrainPanel(
        photo_set=photo_set,
        photos=photos,
        offers=offers,
        review=review(
            photos,
            photo_set.lora_type,
            least=offer.least_photos if offer else 0,
            good=offer.warn_photos if offer else 0,
        ),
        consent=consent,
    )


def draw_page(
    met: Met, panel: TrainPanel, page: Page, *, keep_days: int = 0, is_busy: bool = False
) -> SetView:
    """One page of the set as it stands; the first one where the page has nothing to show.

    keep_days: how long photos stay after a training, for the page that asks for consent.
    """
    screen = _render(met, panel, page, keep_days=keep_days)
    if screen is None:
        page, screen = Page.PHOTOS, render_photos(met.words, panel, is_busy=is_busy)
    if page not in _SHEET_PAGES:
        return SetView(screen=screen)
    return SetView(
        screen=screen,
        photos=panel.photos,
        lora_type=panel.photo_set.lora_type,
        are_cut=page is Page.CUTS,
        marked=panel.review.marked,
    )


def _render(met: Met, panel: TrainPanel, page: Page, *, keep_days: int) -> Screen | None:
    words = met.words
    if page is Page.PHOTOS or not panel.photos:
        return None
    of_photos: dict[Page, Callable[[], Screen]] = {
        Page.REMOVE: lambda: render_remove(words, panel),
        Page.CUTS: lambda: render_cuts(words, panel),
    }
    if page in of_photos:
        return of_photos[page]()
    offer = panel.offer
    if offer is None or not panel.is_ready:
        return None
    match page:
        case Page.CAPTIONS:
            return render_captions(words, panel)
        case Page.ADVANCED:
            return render_advanced(words, panel, offer)
        case Page.CONSENT:
            return render_consent(words, panel, keep_days=keep_days)
        case _:
            return render_choices(words, panel, offer)


async def put_view(desk: Desk, view: SetView, *, chat_id: int, message_id: int | None) -> int:
    """Make the message this view, or send one where there is none; the message that shows it.

    Repeat: harmless where there is one.
    """
    if view.photos is None:
        return await _put_words(desk, view.screen, chat_id=chat_id, message_id=message_id)
    if not view.photos and message_id is None:
        return await desk.send(view.screen, chat_id=chat_id)
    body = await draw_sheet(desk.storage, view)
    if message_id is not None:
        try:
            await desk.messenger.edit_picture(view.screen, body, chat_id=chat_id, message_id=message_id)
        except NotModified:
            return message_id
        except MessageGone:
            return await desk.messenger.send_picture(view.screen, body, chat_id=chat_id)
        return message_id
    return await desk.messenger.send_picture(view.screen, body, chat_id=chat_id)


async def _put_words(desk: Desk, screen: Screen, *, chat_id: int, message_id: int | None) -> int:
    """Other words below the same picture, or in the same message where it has none."""
    if message_id is None:
        return await desk.send(screen, chat_id=chat_id)
    for edit in (desk.messenger.edit_caption, desk.messenger.edit_text):
        try:
            await edit(screen, chat_id=chat_id, message_id=message_id)
        except NotModified:
            return message_id
        except MessageGone:  # also where it has no picture, or is nothing but one
            continue
        return message_id
    return await desk.send(screen, chat_id=chat_id)


async def draw_sheet(storage: Storage, view: SetView) -> bytes:
    """The photos small and numbered; a single one large. An empty tile where a file is gone."""
    photos = list(view.photos or ())
    thumbs = [await _thumb(storage, photo, view) for photo in photos]
    return await in_turn(
        contact_sheet,
        thumbs or [None],
        columns=_COLUMNS_OF_FEW if len(photos) <= _FEW else _COLUMNS,
        numbers=[str(each.number) for each in photos] or ["0"],
        marked={str(number) for number in view.marked},
    )


async def _thumb(storage: Storage, photo: SetPhoto, view: SetView) -> bytes | None:
    try:
        body = await storage.get(photo.key)
    except StoredFileMissing:
        return None
    box = cut_of(photo, view.lora_type) if view.are_cut else None
    if box is not None:
        body = await in_turn(crop, body, box)
    return await in_turn(thumbnail, body)
