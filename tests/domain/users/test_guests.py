"""Meeting people once, however often and by however many processes they are met."""

import asyncio

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.users.errors import NoSuchGuest
from starbooth.domain.users.guests import (
    Guest,
    Language,
    find_met,
    find_user,
    language_for,
    meet,
    note_blocked,
)
from tests.make.guests import make_guest


async def meet_ann(
    database: Database, *, username: str | None = "ann", language: Language = Language.ENGLISH
) -> Guest:
    async with database.transaction() as tx:
        return await meet(tx, telegram_id=77, chat_id=77, username=username, language=language)


class TestMeet:
    async def test_the_first_time_is_new_and_the_second_is_not(self, database: Database) -> None:
        first, second = await meet_ann(database), await meet_ann(database)
        assert (first.is_new, second.is_new) == (True, False)
        assert first.user_id == second.user_id
        assert (first.stars, first.telegram_id, first.chat_id) == (0, 77, 77)

    async def test_eight_at_once_meet_one_person_once(self, database: Database) -> None:
        met = await asyncio.gather(*(meet_ann(database, username=f"ann{n}") for n in range(8)))
        assert len({each.user_id for each in met}) == 1
        assert [each.is_new for each in met].count(True) == 1

    async def test_a_meeting_that_is_undone_never_was(self, database: Database) -> None:
        with pytest.raises(ZeroDivisionError):
            async with database.transaction() as tx:
                await meet(tx, telegram_id=77, chat_id=77, username=None, language=Language.ENGLISH)
                raise ZeroDivisionError
        assert (await meet_ann(database)).is_new

    async def test_a_new_name_and_language_are_kept(self, database: Database) -> None:
        await meet_ann(database)
        guest = await meet_ann(database, username="anna", language=Language.RUSSIAN)
        assert not guest.is_new
        async with database.transaction() as tx:
            assert await find_user(tx, "@anna") == guest.user_id
            assert await tx.scalar(text("SELECT language FROM starbooth.guests")) == "ru"
            with pytest.raises(NoSuchGuest):
                await find_user(tx, "@ann")

    async def test_nothing_new_leaves_the_row_alone(self, database: Database) -> None:
        """A chatty guest would otherwise leave a dead row per message."""
        await meet_ann(database)
        versions = text('SELECT u.xmin::text, g.xmin::text FROM "User" u, starbooth.guests g')
        async with database.transaction() as tx:
            before = (await tx.execute(versions)).one()
        await meet_ann(database)
        async with database.transaction() as tx:
            assert (await tx.execute(versions)).one() == before

    async def test_who_blocked_the_bot_and_writes_again_listens_again(self, database: Database) -> None:
        await meet_ann(database)
        async with database.transaction() as tx:
            await note_blocked(tx, chat_id=77)
            assert await tx.scalar(text("SELECT has_blocked_bot FROM starbooth.guests")) is True
        await meet_ann(database)
        async with database.transaction() as tx:
            assert await tx.scalar(text("SELECT has_blocked_bot FROM starbooth.guests")) is False


class TestFindMet:
    async def found(
        self, database: Database, *, username: str | None = "ann", language: Language = Language.ENGLISH
    ) -> Guest | None:
        async with database.statement() as tx:
            return await find_met(tx, telegram_id=77, chat_id=77, username=username, language=language)

    async def test_somebody_new_is_not_found(self, database: Database) -> None:
        assert await self.found(database) is None

    @pytest.mark.parametrize("username", ["ann", None])
    async def test_who_is_as_before_is_found_as_they_are(
        self, database: Database, username: str | None
    ) -> None:
        await meet_ann(database, username=username)
        assert await self.found(database, username=username) == await meet_ann(database, username=username)

    async def test_who_changed_is_not_found_so_that_meeting_writes_it_down(self, database: Database) -> None:
        await meet_ann(database)
        assert await self.found(database, username="anna") is None
        assert await self.found(database, username=None) is None
        assert await self.found(database, language=Language.SPANISH) is None

    async def test_who_blocked_the_bot_is_not_found(self, database: Database) -> None:
        await meet_ann(database)
        async with database.transaction() as tx:
            await note_blocked(tx, chat_id=77)
        assert await self.found(database) is None


class TestFindUser:
    async def test_by_id_by_telegrams_id_and_by_name(self, database: Database) -> None:
        guest = await make_guest(database, telegram_id=88, username="bob")
        async with database.transaction() as tx:
            for who in (guest, "88", "bob", "@bob"):
                assert await find_user(tx, who) == guest

    @pytest.mark.parametrize("who", ["", "@", "nobody", "@nobody", "0"])
    async def test_nobody_is_refused_by_name(self, database: Database, who: str) -> None:
        await make_guest(database)
        async with database.transaction() as tx:
            with pytest.raises(NoSuchGuest) as caught:
                await find_user(tx, who)
        assert caught.value.who == who

    async def test_a_name_that_two_people_have_had_is_nobodys(self, database: Database) -> None:
        """Names move between people on Telegram; stars must not follow a guess."""
        await make_guest(database, username="carl")
        await make_guest(database, username="carl")
        async with database.transaction() as tx:
            with pytest.raises(NoSuchGuest):
                await find_user(tx, "@carl")


class TestLanguageFor:
    @pytest.mark.parametrize(
        ("code", "language"),
        [
            ("en", "en"),
            ("es-MX", "es"),
            ("RU", "ru"),
            ("de", "en"),
            ("", "en"),
            (None, "en"),
            ("espera", "en"),
        ],
    )
    def test_it_is_the_nearest_that_we_ship(self, code: str | None, language: str) -> None:
        assert language_for(code) == language
