"""Open galleries are remembered by who opened them."""

from datetime import timedelta

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.gallery.errors import NoSuchGallery
from starbooth.domain.gallery.galleries import (
    Gallery,
    find_gallery,
    forget_old_galleries,
    move_gallery,
    note_message,
    open_gallery,
    read_gallery,
)
from starbooth.domain.gallery.pages import Goes, Place
from tests.make.gallery import FIRST
from tests.make.guests import make_guest


async def opened(database: Database, user_id: str, *, key: str = "tg:1:1") -> Gallery:
    async with database.transaction() as tx:
        return await open_gallery(tx, user_id=user_id, request_key=key, words=("cat",))


class TestOpenGallery:
    async def test_the_same_key_is_the_same_gallery(self, database: Database) -> None:
        ada = await make_guest(database)
        assert await opened(database, ada) == await opened(database, ada)
        assert (await opened(database, ada, key="tg:1:2")) != await opened(database, ada)

    async def test_a_key_of_somebody_else_is_refused(self, database: Database) -> None:
        await opened(database, await make_guest(database))
        with pytest.raises(NoSuchGallery):
            await opened(database, await make_guest(database))


class TestMoveGallery:
    async def test_it_is_found_where_it_was_left(self, database: Database) -> None:
        ada = await make_guest(database)
        gallery = await opened(database, ada)
        place = Place(at=FIRST + timedelta(milliseconds=5), picture_id="c1")
        for moved in (
            gallery.at(place, Goes.NEWER),
            gallery.showing(favourites_only=True, words=()),
            gallery.at(None),
        ):
            async with database.transaction() as tx:
                await move_gallery(tx, moved)
                assert await read_gallery(tx, gallery.gallery_id, user_id=ada) == moved

    async def test_nobody_else_finds_or_moves_it(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        gallery = await opened(database, ada)
        async with database.transaction() as tx:
            with pytest.raises(NoSuchGallery):
                await read_gallery(tx, gallery.gallery_id, user_id=bo)

    async def test_it_is_found_by_its_message_by_its_guest_alone(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        gallery = await opened(database, ada)
        async with database.transaction() as tx:
            await note_message(tx, gallery.gallery_id, 5, user_id=bo)
            with pytest.raises(NoSuchGallery):
                await find_gallery(tx, 5, user_id=ada)
            await note_message(tx, gallery.gallery_id, 5, user_id=ada)
            assert await find_gallery(tx, 5, user_id=ada) == gallery
            with pytest.raises(NoSuchGallery):
                await find_gallery(tx, 5, user_id=bo)

    async def test_one_that_nobody_touched_for_months_is_forgotten(self, database: Database) -> None:
        ada = await make_guest(database)
        old, young = await opened(database, ada), await opened(database, ada, key="tg:1:2")
        async with database.transaction() as tx:
            await tx.execute(
                text("UPDATE starbooth.galleries SET used_at = now() - interval '91 days' WHERE id = :id"),
                {"id": old.gallery_id},
            )
            await forget_old_galleries(tx)
            assert await read_gallery(tx, young.gallery_id, user_id=ada) == young
            with pytest.raises(NoSuchGallery):
                await read_gallery(tx, old.gallery_id, user_id=ada)
