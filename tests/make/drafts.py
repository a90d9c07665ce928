"""Drafts, with or without a photo."""

from itertools import count

from starbooth.base.database import Database
from starbooth.domain.generations.asking import PhotoReference
from starbooth.domain.generations.choices import Choices
from starbooth.domain.generations.photos import keep_photo
from starbooth.domain.studio.drafts import Draft, draft_id_for, open_draft

_KEYS = count(1)
PHOTO = PhotoReference(key="photos/ada.jpg", width_px=640, height_px=480)


async def make_draft(
    database: Database,
    user_id: str,
    *,
    prompt: str = "a red boat",
    choices: Choices | None = None,
    photo: PhotoReference | None = None,
    message_id: int | None = 77,
) -> Draft:
    """A draft of this guest in chat 7; the photo is known from now on."""
    draft = Draft(
        draft_id=draft_id_for(f"made:{next(_KEYS)}"),
        user_id=user_id,
        chat_id=7,
        prompt=prompt,
        choices=choices or Choices(),
        photo=photo,
        message_id=message_id,
    )
    async with database.transaction() as tx:
        if photo is not None:
            await keep_photo(tx, photo, user_id=user_id)
        return await open_draft(tx, draft)
