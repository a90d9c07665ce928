"""Pages of pictures hang together, whatever is added and deleted meanwhile, and are one guest's alone."""

import hashlib
import random
from datetime import timedelta
from itertools import count

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.gallery.errors import NothingToSearch
from starbooth.domain.gallery.pages import Goes, Page, Place, Reach, Wanted, read_page, read_words
from starbooth.domain.gallery.pictures import delete_picture, mark_favourite
from tests.make.gallery import FIRST, add_pictures
from tests.make.guests import make_guest

NO_STEP = timedelta()
WINDOW = Reach().window


async def page(
    database: Database,
    wanted: Wanted,
    *,
    limit: int = 9,
    place: Place | None = None,
    goes: Goes = Goes.OLDER,
    reach: Reach = Reach(),  # noqa: B008 - frozen
) -> Page:
    async with database.transaction() as tx:
        return await read_page(tx, wanted, limit=limit, place=place, goes=goes, reach=reach)


async def all_pages(
    database: Database,
    wanted: Wanted,
    *,
    limit: int,
    reach: Reach = Reach(),  # noqa: B008 - frozen
) -> list[Page]:
    """Every page from the newest on."""
    pages = [await page(database, wanted, limit=limit, reach=reach)]
    while (older := pages[-1].older) is not None:
        pages.append(await page(database, wanted, limit=limit, place=older, reach=reach))
    return pages


def ids(*pages: Page) -> list[str]:
    return [each.picture_id for every in pages for each in every.pictures]


async def words(database: Database, said: str) -> tuple[str, ...]:
    async with database.transaction() as tx:
        return await read_words(tx, said)


async def search(database: Database, user_id: str, said: str, **more: bool) -> Wanted:
    return Wanted(user_id=user_id, words=await words(database, said), **more)


async def sorted_ids(database: Database, user_id: str) -> list[str]:
    """What the pages must add up to, by a statement that knows no page."""
    async with database.transaction() as tx:
        rows = await tx.execute(
            text(
                'SELECT "id" FROM public."Generation" WHERE "userId" = :id'
                ' ORDER BY "createdAt" DESC, "id" DESC'
            ),
            {"id": user_id},
        )
        return list(rows.scalars())


class TestPages:
    @pytest.mark.parametrize("limit", [6, 9])
    async def test_they_add_up_to_all_pictures_newest_first(self, database: Database, limit: int) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        await add_pictures(database, ada, ["a boat"] * 20)
        await add_pictures(database, ada, ["a boat"] * 20, at=FIRST, step=NO_STEP)  # all in one moment
        await add_pictures(database, bo, ["a boat"] * 20)
        pages = await all_pages(database, Wanted(user_id=ada), limit=limit)
        assert ids(*pages) == await sorted_ids(database, ada)
        assert [len(each.pictures) for each in pages[:-1]] == [limit] * (len(pages) - 1)

    async def test_the_way_back_shows_the_same_pages(self, database: Database) -> None:
        ada = await make_guest(database)
        await add_pictures(database, ada, ["a boat"] * 27)
        first, second, third = await all_pages(database, Wanted(user_id=ada), limit=9)
        assert third.newer is not None
        back = await page(database, Wanted(user_id=ada), place=third.newer, goes=Goes.NEWER)
        assert ids(back) == ids(second)
        assert back.newer is not None
        top = await page(database, Wanted(user_id=ada), place=back.newer, goes=Goes.NEWER)
        assert (ids(top), top.newer) == (ids(first), None)

    async def test_near_the_top_the_way_back_shows_a_full_first_page(self, database: Database) -> None:
        ada = await make_guest(database)
        await add_pictures(database, ada, ["a boat"] * 12)
        _, second = await all_pages(database, Wanted(user_id=ada), limit=9)
        await add_pictures(database, ada, ["a new boat"], at=FIRST + timedelta(days=1))
        fourth = second.pictures[0].place
        top = await page(database, Wanted(user_id=ada), limit=20, place=fourth, goes=Goes.NEWER)
        assert ids(top) == await sorted_ids(database, ada)

    async def test_a_guest_without_pictures_has_one_empty_page(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        await add_pictures(database, bo, ["a boat"])
        assert await page(database, Wanted(user_id=ada)) == Page(pictures=(), newer=None, older=None)

    async def test_a_place_of_somebody_else_shows_nothing_of_theirs(self, database: Database) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        await add_pictures(database, bo, ["a boat"] * 20)
        mine = await add_pictures(database, ada, ["a boat"] * 20)
        theirs = (await page(database, Wanted(user_id=bo))).older
        for goes in Goes:
            found = await page(database, Wanted(user_id=ada), limit=50, place=theirs, goes=goes)
            assert set(ids(found)) <= set(mine)

    @pytest.mark.parametrize("seed", range(6))
    @pytest.mark.parametrize("kind", ["all", "favourites", "search"])
    async def test_pages_hold_while_pictures_come_and_go(
        self, database: Database, seed: int, kind: str
    ) -> None:
        """What was there all the time is shown once and in order; nothing is shown twice."""
        chance = random.Random(seed)
        ada = await make_guest(database)
        known = await add_pictures(
            database, ada, ["a boat"] * 40, step=timedelta(seconds=chance.choice([0, 1]))
        )
        if kind == "favourites":
            await mark(database, ada, *known)
        wanted = Wanted(
            user_id=ada, favourites_only=kind == "favourites", words=("boat",) if kind == "search" else ()
        )
        before = await sorted_ids(database, ada)
        shown, gone = [], set()
        found = await page(database, wanted, limit=6)
        while True:
            shown += ids(found)
            doomed = chance.sample([each for each in known if each not in gone], k=2)
            for each in doomed:
                async with database.transaction() as tx:
                    await delete_picture(tx, each, user_id=ada)
            gone |= set(doomed)
            added = await add_pictures(
                database, ada, ["a boat"] * 2, at=FIRST + timedelta(seconds=chance.randrange(-5, 50))
            )
            if kind == "favourites":
                await mark(database, ada, *added)
            if found.older is None:
                break
            found = await page(database, wanted, limit=6, place=found.older)
        assert len(shown) == len(set(shown))
        stayed = [each for each in before if each not in gone]
        assert [each for each in shown if each in stayed] == stayed


async def mark(database: Database, user_id: str, *picture_ids: str) -> None:
    async with database.transaction() as tx:
        for each in picture_ids:
            await mark_favourite(tx, each, user_id=user_id)


class TestFavourites:
    async def test_they_alone_are_shown_and_are_marked_everywhere(self, database: Database) -> None:
        ada = await make_guest(database)
        known = await add_pictures(database, ada, ["a boat"] * 12)
        await mark(database, ada, known[2], known[7])
        found = await page(database, Wanted(user_id=ada, favourites_only=True))
        assert ids(found) == [known[7], known[2]]
        everything = await page(database, Wanted(user_id=ada), limit=20)
        assert {each.picture_id for each in everything.pictures if each.is_favourite} == {known[2], known[7]}

    async def test_they_can_be_searched(self, database: Database) -> None:
        ada = await make_guest(database)
        known = await add_pictures(database, ada, ["a boat", "a cat", "a cat at sea", "a cat again"])
        await mark(database, ada, *known[:3])
        wanted = await search(database, ada, "cat", favourites_only=True)
        assert ids(await page(database, wanted)) == [known[2], known[1]]


class TestReadWords:
    @pytest.mark.parametrize(
        ("said", "words_found"),
        [
            ("Cat, HAT!", ("cat", "hat")),
            ("cat cat cat", ("cat",)),
            ("Чёрный КОТ", ("черный", "кот")),
            ("well-known_thing", ("well", "known", "thing")),
            ("a' | b:* & !c \\ (d) 100%", ("a", "b", "c", "d", "100")),
            ("猫 und\0 Übermut", ("猫", "und", "übermut")),
            ("x" * 100, ("x" * 40,)),
            (
                "one two three four five six seven eight nine",
                ("one", "two", "three", "four", "five", "six", "seven", "eight"),
            ),
        ],
    )
    async def test_a_text_is_its_different_words(
        self, database: Database, said: str, words_found: tuple[str, ...]
    ) -> None:
        assert await words(database, said) == words_found

    @pytest.mark.parametrize("said", ["", "   ", "!?", "🦊", "_-_"])
    async def test_a_text_without_words_is_refused(self, database: Database, said: str) -> None:
        with pytest.raises(NothingToSearch):
            await words(database, said)


PROMPTS = [
    "A red cat in a hat",
    "a CATHEDRAL at night",
    "the hat of a cat, oil",
    "concatenation of hats",
    "Рыжий кот и чёрная шляпа",
    "кошка",
    "fox_and_cat",
    "x" * 3000 + " cat",
    "猫",
]


class TestSearch:
    @pytest.mark.parametrize(
        ("said", "places"),
        [
            ("cat", [7, 6, 2, 1, 0]),
            ("hat cat", [2, 0]),
            ("cath", [1]),
            ("КОТ", [4]),
            ("черная", [4]),
            ("ЧЁРНАЯ шляп", [4]),
            ("猫", [8]),
            ("x" * 60, [7]),
            ("dog", []),
            ("cat dog", []),
        ],
    )
    async def test_every_word_must_begin_a_word_of_the_prompt(
        self, database: Database, said: str, places: list[int]
    ) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        known = await add_pictures(database, ada, PROMPTS)
        await add_pictures(database, bo, PROMPTS)
        found = await page(database, await search(database, ada, said))
        assert ids(found) == [known[place] for place in places]
        assert found.searched_to is None

    @pytest.mark.parametrize("said", ["cat", "hat cat", "cath", "ЧЁРНАЯ", "x" * 60, "猫", "dog"])
    async def test_beyond_the_window_the_index_finds_the_same(self, database: Database, said: str) -> None:
        ada, bo = await make_guest(database), await make_guest(database)
        known = await add_pictures(database, ada, PROMPTS)
        wanted = await search(database, ada, said)
        near = ids(await page(database, wanted))
        await add_pictures(database, ada, ["a boat"] * (WINDOW + 1), at=FIRST + timedelta(days=1))
        await add_pictures(database, bo, PROMPTS, at=FIRST + timedelta(days=2))
        far = await page(database, wanted)
        assert (ids(far), far.searched_to) == (near, None)
        assert set(near) <= set(known)

    async def test_pages_of_a_search_add_up_forwards_and_backwards(self, database: Database) -> None:
        ada = await make_guest(database)
        known = await add_pictures(database, ada, ["a cat", "a dog", "a boat"] * (WINDOW // 3 + 20))
        wanted = await search(database, ada, "cat")
        pages = await all_pages(database, wanted, limit=9)
        assert ids(*pages) == known[::3][::-1]
        back = pages[-1]
        trail = [back]
        while back.newer is not None:
            back = await page(database, wanted, place=back.newer, goes=Goes.NEWER)
            trail.insert(0, back)
        assert set(ids(*trail)) == set(known[::3])
        assert ids(trail[0]) == ids(pages[0])

    async def test_what_is_too_much_to_put_in_order_is_searched_bit_by_bit_and_says_so(
        self, database: Database
    ) -> None:
        reach = Reach(window=10, most_sorted=5)
        ada = await make_guest(database)
        old = await add_pictures(database, ada, ["a cat"] * 6)
        await add_pictures(database, ada, ["a boat"] * 25, at=FIRST + timedelta(days=1))
        wanted = await search(database, ada, "cat")
        pages = await all_pages(database, wanted, limit=4, reach=reach)
        assert [len(each.pictures) for each in pages] == [0, 0, 4, 2]
        assert [each.searched_to is not None for each in pages] == [True, True, False, False]
        assert ids(*pages) == old[::-1]
        assert pages[2].newer is not None
        up = await page(database, wanted, limit=4, place=pages[2].newer, goes=Goes.NEWER, reach=reach)
        assert up.pictures == ()
        assert up.searched_to is not None
        assert up.newer is not None

    async def test_a_guest_whose_words_lie_beside_anothers_in_the_index_stays_apart(
        self, database: Database
    ) -> None:
        """The index's key is short, so two guests may share it: the owner is looked at beside it."""
        ada, bo = await make_guest(database), await make_guest(database)
        keys: dict[str, str] = {}
        for number in count():
            user_id = f"c{number:024}"
            key = hashlib.md5(user_id.encode()).hexdigest()[:8]
            if key in keys:
                break
            keys[key] = user_id
        async with database.transaction() as tx:
            for old, new in ((ada, user_id), (bo, keys[key])):
                await tx.execute(
                    text('UPDATE public."User" SET "id" = :new WHERE "id" = :old'), {"old": old, "new": new}
                )
        ada, bo = user_id, keys[key]
        await add_pictures(database, bo, ["a cat"])
        known = await add_pictures(database, ada, ["a cat"])
        await add_pictures(database, ada, ["a boat"] * WINDOW, at=FIRST + timedelta(days=1))
        assert ids(await page(database, await search(database, ada, "cat"))) == known
