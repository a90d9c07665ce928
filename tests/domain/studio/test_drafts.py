"""Drafts: ordered once, waiting in the cart once, gone after a day; photos that outlive what needs them."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.errors import Unavailable
from starbooth.domain.delivery.owe import Recipient
from starbooth.domain.generations.asking import PhotoReference
from starbooth.domain.generations.cart import start_funded
from starbooth.domain.generations.choices import Choices
from starbooth.domain.generations.errors import StarsMissing
from starbooth.domain.generations.photos import (
    PhotoGone,
    delete_old_photos,
    expect_photo,
    keep_photo,
    use_photo,
)
from starbooth.domain.generations.request import Limits, PictureRequest, request_pictures
from starbooth.domain.orders.cart import fund, read_cart
from starbooth.domain.orders.place import PlacedOrder, Source
from starbooth.domain.studio.drafts import (
    Draft,
    find_order,
    forget_old_drafts,
    open_draft,
    order_draft,
    put_into_cart,
    read_draft,
    take_from_cart,
)
from starbooth.domain.studio.errors import NoSuchDraft
from starbooth.domain.users.guests import Language
from tests.make.drafts import PHOTO, make_draft
from tests.make.guests import make_guest, read_stars
from tests.make.storage import MemoryStorage

LIMITS = Limits(active_orders=3, deadline=timedelta(minutes=5))
RECIPIENT = Recipient(chat_id=7, reply_to_message_id=None, language=Language.ENGLISH)


async def order(database: Database, draft: Draft, *, price_stars: int = 3) -> PlacedOrder:
    async with database.transaction() as tx:
        kept = await read_draft(tx, draft.draft_id, user_id=draft.user_id)
        return await order_draft(tx, kept, limits=LIMITS, recipient=RECIPIENT, price_stars=price_stars)


async def shelve(database: Database, draft: Draft) -> None:
    """Try to order, and let it wait for stars."""
    with pytest.raises(StarsMissing) as caught:
        await order(database, draft)
    async with database.transaction() as tx:
        await put_into_cart(tx, draft.draft_id, caught.value.wish, life=timedelta(hours=1))


async def count(database: Database, table: str) -> int:
    async with database.transaction() as tx:
        return int(await tx.scalar(text(f"SELECT count(*) FROM starbooth.{table}")) or 0)


async def grow_old(database: Database, table: str, column: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(f"UPDATE starbooth.{table} SET {column} = {column} - interval '8 days'"))


class TestOpenDraft:
    async def test_twice_is_once_and_the_first_one_stays(self, database: Database) -> None:
        ada = await make_guest(database)
        draft = await make_draft(database, ada, message_id=77)
        async with database.transaction() as tx:
            again = Draft(draft_id=draft.draft_id, user_id=ada, chat_id=7, prompt="other", choices=Choices())
            assert await open_draft(tx, again) == draft

    async def test_what_was_ordered_is_not_opened_again(self, database: Database) -> None:
        ada = await make_guest(database, stars=9)
        draft = await make_draft(database, ada)
        await order(database, draft)
        async with database.transaction() as tx:
            with pytest.raises(NoSuchDraft):
                await open_draft(tx, draft)

    async def test_it_takes_nobody_elses_photo(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        await make_draft(database, ada, photo=PHOTO)
        draft = Draft(
            draft_id="c" + "0" * 24, user_id=bo, chat_id=8, prompt="", choices=Choices(), photo=PHOTO
        )
        async with database.transaction() as tx:
            with pytest.raises(PhotoGone):
                await open_draft(tx, draft)


class TestReadDraft:
    async def test_somebody_elses_and_an_old_one_are_as_good_as_none(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        draft = await make_draft(database, ada)
        async with database.transaction() as tx:
            assert await read_draft(tx, draft.draft_id, user_id=ada) == draft
            with pytest.raises(NoSuchDraft):
                await read_draft(tx, draft.draft_id, user_id=bo)
        await grow_old(database, "drafts", "expires_at")
        async with database.transaction() as tx:
            with pytest.raises(NoSuchDraft):
                await read_draft(tx, draft.draft_id, user_id=ada)


class TestOrderDraft:
    async def test_its_panel_becomes_the_message_of_the_order(self, database: Database) -> None:
        ada = await make_guest(database, stars=9)
        draft = await make_draft(database, ada, message_id=77)
        placed = await order(database, draft)
        async with database.transaction() as tx:
            found = await tx.scalar(text("SELECT message_id FROM starbooth.deliveries"))
            assert await find_order(tx, draft.draft_id, user_id=ada) == placed.order_id
        assert found == 77

    async def test_ten_at_once_are_one_order(self, database: Database) -> None:
        ada = await make_guest(database, stars=99)
        draft = await make_draft(database, ada)
        ends = await asyncio.gather(*(order(database, draft) for _ in range(10)), return_exceptions=True)
        assert sum(isinstance(end, PlacedOrder) for end in ends) == 1
        assert sum(isinstance(end, NoSuchDraft) for end in ends) == 9
        assert (await read_stars(database, ada))[0] == 96
        assert await count(database, "drafts") == 0


class TestCart:
    async def test_what_the_stars_do_not_suffice_for_waits_and_starts_once(self, database: Database) -> None:
        ada = await make_guest(database, stars=1)
        draft = await make_draft(database, ada)
        await shelve(database, draft)
        assert await count(database, "drafts") == 0
        async with database.transaction() as tx:
            await tx.execute(text('UPDATE public."User" SET "stars" = 9'))
            await fund(tx, ada)
        async with database.transaction() as tx:
            assert await start_funded(tx, user_id=ada, limits=LIMITS) is not None
            assert await find_order(tx, draft.draft_id, user_id=ada) is not None
            with pytest.raises(NoSuchDraft):
                await take_from_cart(tx, draft.draft_id, user_id=ada, message_id=77)

    async def test_taken_back_it_can_be_changed_and_starts_no_more_by_itself(
        self, database: Database
    ) -> None:
        ada = await make_guest(database, stars=1)
        draft = await make_draft(database, ada, choices=Choices(count=2), photo=PHOTO)
        await shelve(database, draft)
        taken = []
        for _ in range(2):
            async with database.transaction() as tx:
                taken.append(await take_from_cart(tx, draft.draft_id, user_id=ada, message_id=78))
        assert taken[0] == taken[1]
        assert (taken[0].prompt, taken[0].choices, taken[0].photo, taken[0].message_id) == (
            "a red boat",
            Choices(count=2),
            PHOTO,
            78,
        )
        async with database.transaction() as tx:
            assert await read_cart(tx, user_id=ada) is None
        await shelve(database, taken[0])
        async with database.transaction() as tx:
            assert await read_cart(tx, user_id=ada) is not None

    async def test_what_waits_for_other_words_is_left_alone(self, database: Database) -> None:
        ada = await make_guest(database, stars=1)
        await shelve(database, await make_draft(database, ada))
        async with database.transaction() as tx:
            with pytest.raises(NoSuchDraft):
                await take_from_cart(tx, "c" + "0" * 24, user_id=ada, message_id=77)
            assert await read_cart(tx, user_id=ada) is not None


class SlowStorage(MemoryStorage):
    """Deletes when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.is_deleting, self.may_delete = asyncio.Event(), asyncio.Event()

    async def delete(self, key: str) -> None:
        self.is_deleting.set()
        await self.may_delete.wait()
        await super().delete(key)


class TestPhotos:
    async def old_photo(self, database: Database, user_id: str, storage: MemoryStorage) -> None:
        await storage.put(PHOTO.key, b"photo", "image/jpeg")
        async with database.transaction() as tx:
            await keep_photo(tx, PHOTO, user_id=user_id)
        await grow_old(database, "photos", "kept_until")

    async def test_a_photo_that_nothing_needs_is_deleted_and_refused_from_then_on(
        self, database: Database
    ) -> None:
        ada, storage = await make_guest(database), MemoryStorage()
        await self.old_photo(database, ada, storage)
        assert await delete_old_photos(database, storage, limit=10) == 1
        assert (storage.files, await count(database, "photos")) == ({}, 0)
        async with database.transaction() as tx:
            with pytest.raises(PhotoGone):
                await use_photo(tx, PHOTO.key, user_id=ada)

    async def test_one_that_was_used_lately_stays(self, database: Database) -> None:
        ada, storage = await make_guest(database), MemoryStorage()
        await self.old_photo(database, ada, storage)
        async with database.transaction() as tx:
            await use_photo(tx, PHOTO.key, user_id=ada)
        assert await delete_old_photos(database, storage, limit=10) == 0
        assert PHOTO.key in storage.files

    async def test_an_open_draft_keeps_it_until_the_draft_is_forgotten(self, database: Database) -> None:
        ada, storage = await make_guest(database), MemoryStorage()
        draft = await make_draft(database, ada, photo=PHOTO)
        await grow_old(database, "photos", "kept_until")
        assert await delete_old_photos(database, storage, limit=10) == 0
        await grow_old(database, "drafts", "expires_at")
        async with database.transaction() as tx:
            assert await forget_old_drafts(tx) == [draft.draft_id]
        assert await delete_old_photos(database, storage, limit=10) == 1

    async def test_an_order_under_way_and_one_that_waits_for_stars_keep_it(self, database: Database) -> None:
        ada, bo, storage = await make_guest(database, stars=3), await make_guest(database), MemoryStorage()
        other = PhotoReference(key="photos/bo.jpg", width_px=64, height_px=64)
        await order(database, await make_draft(database, ada, photo=PHOTO))
        await shelve(database, await make_draft(database, bo, photo=other))
        await grow_old(database, "photos", "kept_until")
        assert await delete_old_photos(database, storage, limit=10) == 0

    async def test_a_photo_that_comes_anew_while_two_delete_the_old_one_is_not_lost(
        self, database: Database
    ) -> None:
        ada, storage = await make_guest(database), SlowStorage()
        await self.old_photo(database, ada, storage)
        first = asyncio.create_task(delete_old_photos(database, storage, limit=10))
        await storage.is_deleting.wait()
        assert await delete_old_photos(database, storage, limit=10) == 0
        async with database.transaction() as tx:
            with pytest.raises(Unavailable):
                await expect_photo(tx, PHOTO.key, user_id=ada)
        storage.may_delete.set()
        assert await first == 1
        async with database.transaction() as tx:
            await expect_photo(tx, PHOTO.key, user_id=ada)
        await storage.put(PHOTO.key, b"anew", "image/jpeg")
        async with database.transaction() as tx:
            await keep_photo(tx, PHOTO, user_id=ada)
        assert await delete_old_photos(database, storage, limit=10) == 0
        assert storage.files == {PHOTO.key: b"anew"}

    async def test_a_photo_that_is_expected_anew_is_not_forgotten_meanwhile(self, database: Database) -> None:
        ada, storage = await make_guest(database), MemoryStorage()
        await self.old_photo(database, ada, storage)
        async with database.transaction() as tx:
            await expect_photo(tx, PHOTO.key, user_id=ada)
        assert await delete_old_photos(database, storage, limit=10) == 0

    async def test_an_order_with_a_photo_that_is_gone_or_foreign_is_refused(self, database: Database) -> None:
        ada, bo = await make_guest(database, stars=9), await make_guest(database, stars=9)
        await make_draft(database, ada, photo=PHOTO)
        ask = PictureRequest(request_key="k", user_id=bo, source=Source.BOT, prompt="a red boat", photo=PHOTO)
        async with database.transaction() as tx:
            with pytest.raises(PhotoGone):
                async with tx.begin_nested():
                    await request_pictures(tx, ask, limits=LIMITS, recipient=None)
        assert (await read_stars(database, bo))[0] == 9
