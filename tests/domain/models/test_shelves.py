"""Shelves, page by page; what counts as a use; favourites, reports, and an order that goes back."""

import asyncio

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.models.counting import count_uses
from starbooth.domain.models.earnings import read_earnings
from starbooth.domain.models.errors import NoSuchList, NoSuchModel, NothingToSearch, OrderNotPaid, OwnModel
from starbooth.domain.models.favourites import mark_model, unmark_model
from starbooth.domain.models.lists import find_list, move_list, note_message, open_list, read_list
from starbooth.domain.models.refunds import refund_order
from starbooth.domain.models.reports import (
    Reason,
    claim_maker_news,
    hide_model,
    keep_model,
    list_reported,
    note_maker_told,
    report_model,
)
from starbooth.domain.models.shelves import Goes, Place, Shelf, Wanted, read_shelf, read_words
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars
from tests.make.loras import make_lora
from tests.make.orders import end_order, place_pictures


async def names_on(database: Database, user_id: str, shelf: Shelf, *words: str, limit: int = 9) -> list[str]:
    async with database.transaction() as tx:
        page = await read_shelf(tx, Wanted(user_id=user_id, shelf=shelf, words=words), limit=limit)
    return [each.name for each in page.models]


async def use(database: Database, guest: str, lora: str, *, pictures: int = 1) -> str:
    placed = await place_pictures(database, guest, pictures=pictures, loras=[lora])
    await end_order(database, placed.order_id, done=pictures)
    return placed.order_id


class TestShelves:
    async def test_own_models_are_all_there_newest_first(self, database: Database) -> None:
        maker = await make_guest(database)
        for name, status in (("first", "COMPLETED"), ("second", "FAILED"), ("third", "TRAINING")):
            await make_lora(database, maker, name=name, status=status)
            async with database.transaction() as tx:
                await tx.execute(
                    text("""UPDATE public."LoraModel" SET "createdAt" = "createdAt" - interval '1 hour'""")
                )
        await make_lora(database, await make_guest(database), name="not mine", is_public=True)
        assert await names_on(database, maker, Shelf.OWN) == ["third", "second", "first"]

    async def test_public_ones_are_ordered_by_the_pictures_that_others_made(self, database: Database) -> None:
        maker, guest = await make_guest(database, stars=100), await make_guest(database, stars=100)
        little, much, private = [
            await make_lora(database, maker, name=name, is_public=name != "private")
            for name in ("little", "much", "private")
        ]
        await use(database, guest, little)
        await use(database, guest, much, pictures=3)
        for _ in range(2):
            await use(database, maker, private, pictures=4)
            await use(database, maker, little, pictures=4)
        assert sum(await asyncio.gather(*(self._count(database) for _ in range(3)))) == 2
        assert await self._count(database) == 0
        assert await names_on(database, guest, Shelf.USED) == ["much", "little"]

    async def _count(self, database: Database) -> int:
        async with database.transaction() as tx:
            return await count_uses(tx)

    @pytest.mark.parametrize("shelf", [Shelf.USED, Shelf.LOVED, Shelf.NEW, Shelf.KEPT, Shelf.OWN])
    async def test_pages_go_on_and_back_without_gaps(self, database: Database, shelf: Shelf) -> None:
        maker, guest = await make_guest(database), await make_guest(database)
        for number in range(7):
            lora = await make_lora(database, maker, name=f"model {number}", is_public=True)
            async with database.transaction() as tx:
                await mark_model(tx, lora, user_id=guest)
        wanted = Wanted(user_id=maker if shelf is Shelf.OWN else guest, shelf=shelf)
        pages: list[list[str]] = []
        place: Place | None = None
        async with database.transaction() as tx:
            while True:
                page = await read_shelf(tx, wanted, limit=3, place=place)
                pages.append([each.name for each in page.models])
                assert (page.back is None) == (len(pages) == 1)
                if page.on is None:
                    break
                place = page.on
            assert page.back is not None
            back = await read_shelf(tx, wanted, limit=3, place=page.back, goes=Goes.BACK)
            assert back.back is not None
            first = await read_shelf(tx, wanted, limit=3, place=back.back, goes=Goes.BACK)
        assert sorted(name for page_names in pages for name in page_names) == [f"model {n}" for n in range(7)]
        assert [each.name for each in back.models] == pages[1]
        assert [each.name for each in first.models] == pages[0]
        assert first.back is None

    async def test_a_search_finds_beginnings_of_words(self, database: Database) -> None:
        maker = await make_guest(database)
        for name in ("Ёлка at night", "Night City", "Cat"):
            await make_lora(database, maker, name=name, is_public=True)
        found = await names_on(database, maker, Shelf.NEW, *read_words("NIGHT"))
        assert sorted(found) == ["Night City", "Ёлка at night"]
        assert await names_on(database, maker, Shelf.NEW, *read_words("nig елк")) == ["Ёлка at night"]
        assert await names_on(database, maker, Shelf.USED, *read_words("dog")) == []
        assert read_words("a & b:* | 'c'") == ("a", "b", "c")
        with pytest.raises(NothingToSearch):
            read_words("?! _")

    async def test_a_page_walks_along_the_index(self, database: Database) -> None:
        guest = await make_guest(database)
        async with database.transaction() as tx:
            await tx.execute(
                text("""
                    INSERT INTO public."LoraModel" ("id", "name", "triggerWord", "weightsUrl", "baseModelId",
                        "status", "isPublic", "userId", "updatedAt")
                    SELECT 'c' || lpad(n::text, 24, '0'), 'model ' || n, 'x', 'https://b.invalid/' || n,
                        b."id", 'COMPLETED', true, :user_id, now()
                    FROM generate_series(1, 3000) n, (SELECT "id" FROM public."BaseModel" LIMIT 1) b
                """),
                {"user_id": guest},
            )
            await tx.execute(text("UPDATE starbooth.model_cards SET uses = abs(hashtext(lora_id)) % 500"))
            await tx.execute(text("ANALYZE starbooth.model_cards"))
            plan = (
                await tx.execute(
                    text("""
                        EXPLAIN SELECT c.lora_id FROM starbooth.model_cards c WHERE c.is_listed
                            AND (c.uses, c.lora_id) < (250, 'c') ORDER BY c.uses DESC, c.lora_id DESC LIMIT 7
                    """)
                )
            ).scalars()
            assert "model_cards_used_idx" in "\n".join(plan)


class TestLists:
    async def test_a_list_is_found_by_its_guest_alone_and_remembers_its_page(
        self, database: Database
    ) -> None:
        guest, other = await make_guest(database), await make_guest(database)
        async with database.transaction() as tx:
            opened = await open_list(tx, user_id=guest, request_key="tg:1:2")
            assert await open_list(tx, user_id=guest, request_key="tg:1:2") == opened
            await note_message(tx, opened.list_id, 77, user_id=guest)
            moved = (
                opened.showing(Shelf.USED, ["cat"]).at(Place(rank=5, lora_id="c1"), Goes.BACK).opening("c2")
            )
            await move_list(tx, moved)
            assert await find_list(tx, 77, user_id=guest) == moved
            with pytest.raises(NoSuchList):
                await read_list(tx, opened.list_id, user_id=other)
            with pytest.raises(NoSuchList):
                await open_list(tx, user_id=other, request_key="tg:1:2")


class TestFavourites:
    async def test_marking_counts_once_and_goes_with_the_model(self, database: Database) -> None:
        maker, guest = await make_guest(database), await make_guest(database)
        lora = await make_lora(database, maker, name="Ada", is_public=True)
        for _ in range(2):
            async with database.transaction() as tx:
                await mark_model(tx, lora, user_id=guest)
        assert await self._hearts(database, lora) == 1
        assert await names_on(database, guest, Shelf.KEPT) == ["Ada"]
        for _ in range(2):
            async with database.transaction() as tx:
                await unmark_model(tx, lora, user_id=guest)
        assert await self._hearts(database, lora) == 0
        assert await names_on(database, guest, Shelf.KEPT) == []

    async def test_a_private_model_cannot_be_marked(self, database: Database) -> None:
        lora = await make_lora(database, await make_guest(database))
        with pytest.raises(NoSuchModel):
            async with database.transaction() as tx:
                await mark_model(tx, lora, user_id=await make_guest(database))

    async def _hearts(self, database: Database, lora: str) -> int:
        async with database.transaction() as tx:
            found = await tx.scalar(
                text("SELECT favourites FROM starbooth.model_cards WHERE lora_id = :id"), {"id": lora}
            )
        return int(found or 0)


class TestReports:
    async def test_a_guest_reports_once_and_operators_hear_of_it_once(self, database: Database) -> None:
        maker = await make_guest(database, username="ada")
        lora = await make_lora(database, maker, name="Ada", is_public=True)
        guests = [await make_guest(database) for _ in range(3)]
        for guest, reason in zip(guests, (Reason.STOLEN, Reason.STOLEN, Reason.HATEFUL), strict=True):
            for _ in range(2):
                async with database.transaction() as tx:
                    await report_model(tx, lora, reason, user_id=guest)
        async with database.transaction() as tx:
            (found,) = await list_reported(tx, limit=10)
            alerts = await tx.scalar(
                text("SELECT count(*) FROM starbooth.alerts WHERE kind = 'model_reported'")
            )
        assert found.reasons == {Reason.HATEFUL: 1, Reason.STOLEN: 2}
        assert (found.name, found.maker_username, found.is_listed) == ("Ada", "ada", True)
        assert alerts == 1

    async def test_a_report_alone_takes_nothing_and_settled_ones_are_not_listed(
        self, database: Database
    ) -> None:
        lora = await make_lora(database, await make_guest(database), is_public=True)
        guest = await make_guest(database)
        async with database.transaction() as tx:
            await report_model(tx, lora, Reason.INDECENT, user_id=guest)
        assert len(await names_on(database, guest, Shelf.NEW)) == 1
        async with database.transaction() as tx:
            await keep_model(tx, lora, operator="command:test")
            assert await list_reported(tx, limit=10) == []
        async with database.transaction() as tx:
            await report_model(tx, lora, Reason.STOLEN, user_id=guest)
            assert await list_reported(tx, limit=10) == []
            assert await tx.scalar(text("SELECT count(*) FROM starbooth.alerts")) == 1

    async def test_own_and_private_models_cannot_be_reported(self, database: Database) -> None:
        maker, guest = await make_guest(database), await make_guest(database)
        public = await make_lora(database, maker, is_public=True)
        private = await make_lora(database, maker)
        with pytest.raises(OwnModel):
            async with database.transaction() as tx:
                await report_model(tx, public, Reason.STOLEN, user_id=maker)
        with pytest.raises(NoSuchModel):
            async with database.transaction() as tx:
                await report_model(tx, private, Reason.STOLEN, user_id=guest)

    async def test_a_maker_is_told_once_why_a_model_was_hidden(self, database: Database) -> None:
        maker = await make_guest(database)
        lora = await make_lora(database, maker, name="Ada", is_public=True)
        for hides in (True, False):
            async with database.transaction() as tx:
                assert await hide_model(tx, lora, reason=" it is\nstolen ", operator="command:test") is hides
        async with database.transaction() as tx:
            (news,) = await claim_maker_news(tx, limit=5)
            assert await claim_maker_news(tx, limit=5) == []
            await note_maker_told(tx, news_id=news.news_id)
        assert (news.kind, news.name, news.reason) == ("hidden", "Ada", "it is stolen")
        assert await names_on(database, maker, Shelf.NEW) == []


class TestRefund:
    async def test_the_guest_has_the_stars_back_once_and_the_maker_did_not_earn(
        self, database: Database
    ) -> None:
        maker, guest = await make_guest(database), await make_guest(database, stars=100)
        lora = await make_lora(database, maker, is_public=True, fee_stars=4)
        await use(database, guest, lora, pictures=3)
        order = await use(database, guest, lora, pictures=2)
        before = (await read_stars(database, guest))[0]
        for is_repeat, taken in ((False, 400), (True, 0)):
            async with database.transaction() as tx:
                returned = await refund_order(tx, order, reason="sorry", operator="command:test")
            assert (returned.stars, returned.is_repeat, returned.taken_hundredths) == (14, is_repeat, taken)
        assert (await read_stars(database, guest))[0] == before + 14
        async with database.transaction() as tx:
            assert (await read_earnings(tx, maker_id=maker)).waiting_hundredths == 0
        await assert_accounts_are_true(database)

    async def test_what_was_not_paid_cannot_go_back(self, database: Database) -> None:
        guest = await make_guest(database, stars=100)
        placed = await place_pictures(database, guest)
        for order_id in (placed.order_id, "none"):
            with pytest.raises(OrderNotPaid):
                async with database.transaction() as tx:
                    await refund_order(tx, order_id, reason="sorry", operator="command:test")
