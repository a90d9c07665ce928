"""An account that its guest deletes: nothing of it is left but figures, whatever happens on the way."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, text

from starbooth.base.database import Database
from starbooth.domain.gifts.before import WELCOME, Marks, promo_gift, was_given
from starbooth.domain.payments.forgetting import forget_old_differences
from starbooth.domain.payments.purchases import PurchaseKind
from starbooth.domain.privacy.erased_rows import KEPT, OF_ACCOUNT
from starbooth.domain.privacy.erasing import erase_accounts
from starbooth.domain.privacy.farewell import begin_farewell, count_belongings
from starbooth.domain.running.sweep import end_overdue
from starbooth.domain.users.guests import Guest, Language, find_guest, meet
from starbooth.domain.users.operators import forget_old_alerts
from starbooth.outside.telegram.errors import ChargeUnknown, TelegramUnavailable
from tests.make.audits import assert_accounts_are_true
from tests.make.belongings import TELEGRAM_ID, WORD, dump, give_everything, rows_with
from tests.make.guests import make_guest, read_stars
from tests.make.holdings import assert_storage_is_true
from tests.make.orders import make_outside, read_order_row
from tests.make.payments import PLAN, open_invoice, pay, payment_of
from tests.make.storage import MemoryStorage

MARKS = Marks(b"a secret of at least thirty-two characters")
TODAY = datetime.now(UTC).date()


class Died(Exception):
    """The process was killed."""


class Telegram:
    """Takes plans back and says good-bye, unless `troubles` says otherwise: one is raised per call."""

    def __init__(self, *troubles: Exception) -> None:
        self.stopped: list[str] = []
        self.told: list[tuple[int, Language]] = []
        self.troubles = list(troubles)

    async def stop_renewing(self, *, telegram_id: int, charge_id: str) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.stopped.append(charge_id)

    async def allow_renewing(self, *, telegram_id: int, charge_id: str) -> None:
        raise AssertionError

    async def tell(self, chat_id: int, language: Language) -> None:
        if self.troubles:
            raise self.troubles.pop(0)
        self.told.append((chat_id, language))


@pytest.fixture
def storage() -> MemoryStorage:
    return MemoryStorage()


async def leave(database: Database, guest: Guest) -> bool:
    async with database.transaction() as tx:
        return await begin_farewell(tx, guest=guest, marks=MARKS, today=TODAY)


async def erase(database: Database, telegram: Telegram, storage: MemoryStorage) -> int:
    """One look of a worker at what is due, with all its other timers."""
    await due_again(database)
    done = await erase_accounts(database, telegram, telegram.tell, limit=5)
    await end_overdue(database, make_outside(storage=storage))
    return done


async def due_again(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(text("UPDATE starbooth.farewells SET due_at = now()"))


class TestWhatGoes:
    async def test_no_row_of_any_table_tells_of_the_guest_afterwards(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        everything = await give_everything(database, storage)
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.alerts SET sent_at = now() WHERE kind <> 'support'"))
        assert len(rows_with(await dump(database), WORD, str(TELEGRAM_ID))) > 25
        assert await leave(database, everything.guest)
        telegram = Telegram()
        assert await erase(database, telegram, storage) == 0  # its order has to end first
        assert await erase(database, telegram, storage) == 1
        left = rows_with(await dump(database), WORD, str(TELEGRAM_ID))
        # What Telegram needs to give a payment back, and its own list, with the number alone.
        assert {name: len(rows) for name, rows in left.items()} == {
            'starbooth."payments"': 1,
            'starbooth."telegram_transactions"': 1,
        }
        assert not rows_with(await dump(database), WORD)
        assert telegram.told == [(TELEGRAM_ID, Language.SPANISH)]

    async def test_storage_holds_nothing_of_them_either(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        everything = await give_everything(database, storage)
        await assert_storage_is_true(database, storage)
        await leave(database, everything.guest)
        await erase(database, Telegram(), storage)
        await erase(database, Telegram(), storage)
        await assert_storage_is_true(database, storage)
        assert len(storage.files) == 1  # somebody else's model

    async def test_the_ledger_stays_and_adds_up(self, database: Database, storage: MemoryStorage) -> None:
        everything = await give_everything(database, storage)
        before = await read_stars(database, everything.guest.user_id)
        await leave(database, everything.guest)
        await assert_accounts_are_true(database)
        await erase(database, Telegram(), storage)
        await erase(database, Telegram(), storage)
        await assert_accounts_are_true(database)
        stars = await read_stars(database, everything.guest.user_id)
        assert stars[0] > before[0] + 3  # the picture and the training in the works gave theirs back
        assert stars[1:] == before[1:]
        assert (await read_order_row(database, everything.order_id)).state == "failed"

    async def test_every_table_with_a_guests_rows_is_decided_upon(self, database: Database) -> None:
        async with database.transaction() as tx:
            rows = await tx.execute(
                text("""
                    SELECT DISTINCT c.conrelid::regclass::text FROM pg_constraint c
                    WHERE c.contype = 'f' AND c.confrelid = 'public."User"'::regclass
                """)
            )
        tables = {name.removeprefix("starbooth.").strip('"') for name in rows.scalars()}
        erased = {
            name for name in tables for each in OF_ACCOUNT if f"DELETE FROM starbooth.{name} " in each
        } | {"Generation", "Training", "LoraModel"}
        assert tables - erased == KEPT & tables
        assert erased & KEPT == set()


class TestOnTheWay:
    async def test_a_second_yes_does_nothing(self, database: Database, storage: MemoryStorage) -> None:
        everything = await give_everything(database, storage)
        assert await leave(database, everything.guest)
        assert not await leave(database, everything.guest)
        await erase(database, Telegram(), storage)
        assert not await leave(database, everything.guest)

    async def test_several_workers_at_once_and_again_do_it_once(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        everything = await give_everything(database, storage)
        await leave(database, everything.guest)
        telegram = Telegram()
        await erase(database, telegram, storage)
        await due_again(database)
        await asyncio.gather(*(erase_accounts(database, telegram, telegram.tell, limit=5) for _ in range(3)))
        assert await erase(database, telegram, storage) == 0
        assert len(telegram.told) == 1

    @pytest.mark.parametrize("steps", range(0, 48, 8))
    async def test_a_kill_at_any_step_is_made_good_by_the_next_worker(
        self, database: Database, storage: MemoryStorage, steps: int
    ) -> None:
        everything = await give_everything(database, storage)
        await leave(database, everything.guest)
        await end_overdue(database, make_outside(storage=storage))
        await die_after(database, steps, lambda: erase(database, Telegram(), storage))
        telegram = Telegram()
        await erase(database, telegram, storage)
        assert not rows_with(await dump(database), WORD)
        await assert_storage_is_true(database, storage)
        await assert_accounts_are_true(database)

    async def test_while_telegram_is_away_the_farewell_waits_and_everything_is_gone_already(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        everything = await give_everything(database, storage)
        await leave(database, everything.guest)
        await erase(database, Telegram(), storage)
        away = Telegram(TelegramUnavailable("away"))
        assert await erase(database, away, storage) == 0
        assert not rows_with(await dump(database), WORD)
        assert await erase(database, away, storage) == 1
        assert len(away.told) == 1


class TestPlan:
    async def test_a_running_plan_is_stopped_at_telegram_first(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        guest = await planning_guest(database)
        await leave(database, guest)
        telegram = Telegram(TelegramUnavailable("away"))
        assert await erase(database, telegram, storage) == 0
        assert await erase(database, telegram, storage) == 1
        assert telegram.stopped == ["stx_plan"]

    async def test_one_that_telegram_does_not_know_keeps_nothing_up(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        await leave(database, await planning_guest(database))
        assert await erase(database, Telegram(ChargeUnknown("no")), storage) == 1


async def planning_guest(database: Database) -> Guest:
    user_id = await make_guest(database, telegram_id=TELEGRAM_ID)
    invoice = await open_invoice(database, user_id, pack=PLAN, kind=PurchaseKind.PLAN)
    await pay(
        database,
        payment_of(
            invoice,
            telegram_id=TELEGRAM_ID,
            charge_id="stx_plan",
            paid_at=datetime.now(UTC),
            is_first_recurring=True,
            is_recurring=True,
        ),
    )
    async with database.transaction() as tx:
        guest = await find_guest(tx, telegram_id=TELEGRAM_ID)
        assert guest is not None
        assert (await count_belongings(tx, user_id=user_id)).has_plan
    return guest


class TestComingBack:
    async def test_who_comes_back_is_somebody_else_and_their_gifts_are_remembered_without_a_name(
        self, database: Database, storage: MemoryStorage
    ) -> None:
        everything = await give_everything(database, storage)
        await leave(database, everything.guest)
        async with database.transaction() as tx:
            back = await meet(
                tx, telegram_id=TELEGRAM_ID, chat_id=TELEGRAM_ID, username=None, language=Language.ENGLISH
            )
            assert back.is_new
            assert back.user_id != everything.guest.user_id
            for gift in (WELCOME, promo_gift("QUOKKA")):
                assert await was_given(tx, MARKS.of(gift, TELEGRAM_ID))
                assert not await was_given(tx, MARKS.of(gift, TELEGRAM_ID + 1))
                assert not await was_given(tx, Marks(b"another secret").of(gift, TELEGRAM_ID))
            assert not await was_given(tx, MARKS.of(promo_gift("OTHER"), TELEGRAM_ID))
        await erase(database, Telegram(), storage)
        await erase(database, Telegram(), storage)
        async with database.transaction() as tx:
            found = await find_guest(tx, telegram_id=TELEGRAM_ID)
        assert found is not None
        assert found.user_id == back.user_id

    async def test_a_mark_does_not_print_its_secret(self) -> None:
        assert "secret" not in repr(MARKS)

    async def test_the_key_of_a_living_guests_gift_cannot_be_changed(self, database: Database) -> None:
        await make_guest(database, telegram_id=9, stars=5)
        with pytest.raises(Exception, match="may not change its id"):
            async with database.transaction() as tx:
                await tx.execute(
                    text("""
                        UPDATE public."StarTransaction"
                        SET metadata = jsonb_set(metadata, '{key}', to_jsonb('welcome:' || "userId"))
                    """)
                )


async def die_after(database: Database, steps: int, work: Callable[[], Awaitable[object]]) -> None:
    """Do the work, and have the database refuse the statement after so many."""

    left = steps
    engine = database._engine.sync_engine

    def count(*_: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise Died

    event.listen(engine, "before_cursor_execute", count)
    try:
        await work()
    except Died:
        pass
    finally:
        event.remove(engine, "before_cursor_execute", count)


class TestOldNews:
    async def test_what_operators_were_told_a_month_ago_names_nobody_any_more(
        self, database: Database
    ) -> None:
        async with database.transaction() as tx:
            for statement in (
                """INSERT INTO starbooth.alerts (key, kind, facts, sent_at)
                    SELECT n::text, 'payment_flagged', '{"username": "quokkaneedle"}',
                        now() - make_interval(days => n) FROM unnest(ARRAY[29, 31]) AS ages (n)""",
                """INSERT INTO starbooth.reconciliations (at, cursor, rows_read, report, is_clean)
                    SELECT now() - make_interval(days => n), 0, 0,
                        '{"differences": [{"facts": {"username": "quokkaneedle"}}]}', false
                    FROM unnest(ARRAY[60, 50, 40]) AS ages (n)""",
            ):
                await tx.exec_driver_sql(statement)
            await forget_old_alerts(tx)
            await forget_old_differences(tx)
        left = rows_with(await dump(database), WORD)
        # The newest comparison stays whole, however old.
        assert {name: len(rows) for name, rows in left.items()} == {
            'starbooth."alerts"': 1,
            'starbooth."reconciliations"': 1,
        }
