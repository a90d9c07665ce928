"""A guest's own pictures that Telegram knows already, to be shown again wherever they like."""

from collections.abc import Sequence
from dataclasses import dataclass

from starbooth.base.database import Tx
from starbooth.domain.delivery.telegram_files import read_file_ids
from starbooth.domain.gallery.errors import NoSuchPicture, NothingToSearch
from starbooth.domain.gallery.of_order import find_picture
from starbooth.domain.gallery.pages import Place, Wanted, read_page, read_words
from starbooth.domain.gallery.pictures import read_picture

_MOST_PAGES = 3


@dataclass(frozen=True, kw_only=True)
class SharedPicture:
    """One picture. `file_id` is Telegram's."""

    picture_id: str
    prompt: str
    file_id: str


@dataclass(frozen=True, kw_only=True)
class SharedPage:
    """Some pictures, newest first, and where to go on; None at the end. May be empty and yet go on."""

    pictures: Sequence[SharedPicture]
    next_place: Place | None


async def read_shared(
    tx: Tx, *, user_id: str, text: str, limit: int, place: Place | None = None
) -> SharedPage:
    """The guest's pictures from this place on that fit the words as in the gallery; all, without a word.

    What Telegram was never shown (an order by another door) is passed over: up to three pages, to find any.
    """
    try:
        words = await read_words(tx, text)
    except NothingToSearch:
        words = ()
    wanted = Wanted(user_id=user_id, words=words)
    found: list[SharedPicture] = []
    for _ in range(_MOST_PAGES):
        page = await read_page(tx, wanted, limit=limit, place=place)
        keys = [each.file_key for each in page.pictures if each.file_key is not None]
        names = await read_file_ids(tx, keys)
        found = [
            SharedPicture(picture_id=each.picture_id, prompt=each.prompt, file_id=names[each.file_key])
            for each in page.pictures
            if each.file_key is not None and each.file_key in names
        ]
        place = page.older
        if found or place is None:
            break
    return SharedPage(pictures=found, next_place=place)


async def read_one_shared(tx: Tx, order_id: str, number: int, *, user_id: str) -> SharedPage:
    """The picture of this ticket of the guest's own order; an empty page where there is none to share."""
    try:
        picture_id = await find_picture(tx, order_id, number, user_id=user_id)
        picture = await read_picture(tx, picture_id, user_id=user_id)
    except NoSuchPicture:
        return SharedPage(pictures=(), next_place=None)
    names = {} if picture.file_key is None else await read_file_ids(tx, [picture.file_key])
    pictures = [
        SharedPicture(picture_id=picture_id, prompt=picture.prompt, file_id=file_id)
        for file_id in names.values()
    ]
    return SharedPage(pictures=pictures, next_place=None)
