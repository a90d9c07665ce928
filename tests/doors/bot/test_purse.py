"""The purse through the real bot: balance, history page by page, and the table."""

import asyncio
import csv
import io
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiogram import Bot
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.base.settings import Settings
from starbooth.domain.orders.statement import Page, Place, StatementEntry, Totals
from starbooth.domain.stars import ledger
from starbooth.domain.stars.tables import TransactionStatus, TransactionType
from starbooth.domain.users.guests import Language
from starbooth.doors.bot import purse_screens as screens
from starbooth.doors.bot.handlers import Handlers
from starbooth.doors.bot.purse import MOST_ROWS
from starbooth.doors.bot.terms import Terms, terms_of
from starbooth.doors.bot.words import words_for
from tests.doors.bot.chat import answer_to, start
from tests.doors.bot.conftest import MakeGuest
from tests.doors.bot.recording import RecordingSession
from tests.doors.bot.test_screens import shown_length
from tests.doors.bot.test_words import Tags
from tests.doors.bot.updates import press_update
from tests.doors.bot.worker import Worker
from tests.playground.guest import Guest, Message

ENGLISH = words_for(Language.ENGLISH)
LANGUAGES = list(Language)
AT = datetime(2026, 11, 24, 19, 4, 5, 678000)  # noqa: DTZ001 - as the contract stores it
PLACE = Place(
    at=AT, entry_id="c" + "z" * 24, balance_stars=-(2**31), read_at=datetime(2026, 11, 24, 19, 4, tzinfo=UTC)
)


def entry(
    *,
    amount: int = 5,
    kind: TransactionType = TransactionType.BONUS,
    status: TransactionStatus = TransactionStatus.COMPLETED,
    of_kind: TransactionType | None = None,
    prompt: str | None = None,
    reason: str | None = None,
    side: str | None = None,
) -> StatementEntry:
    return StatementEntry(
        entry_id="c" + "1" * 24,
        at=AT,
        amount=amount,
        kind=kind,
        status=status,
        balance_stars=17,
        prompt=prompt,
        reason=reason,
        promo_code="SUMMER" if reason == "promo" else None,
        referral_side=side,
        of_kind=of_kind,
    )


KINDS = TransactionType
STATES = TransactionStatus
EVERY_ENTRY = [
    entry(amount=-3, kind=KINDS.GENERATION, status=STATES.PENDING),
    entry(amount=-3, kind=KINDS.GENERATION),
    entry(amount=-3, kind=KINDS.GENERATION, status=STATES.REFUNDED),
    entry(amount=-60, kind=KINDS.TRAINING, status=STATES.PENDING),
    entry(amount=-60, kind=KINDS.TRAINING),
    entry(amount=-60, kind=KINDS.TRAINING, status=STATES.REFUNDED),
    entry(amount=50, kind=KINDS.PURCHASE),
    entry(amount=50, kind=KINDS.PURCHASE, status=STATES.REFUNDED),
    entry(amount=3, kind=KINDS.REFUND, of_kind=KINDS.GENERATION),
    entry(amount=-50, kind=KINDS.REFUND, status=STATES.PENDING, of_kind=KINDS.PURCHASE),
    entry(amount=-50, kind=KINDS.REFUND, of_kind=KINDS.PURCHASE),
    entry(amount=9, kind=KINDS.ADMIN_GRANT),
    entry(amount=-9, kind=KINDS.ADMIN_GRANT),
    entry(reason="welcome"),
    entry(reason="daily"),
    entry(reason="promo"),
    entry(reason="referral", side="friend"),
    entry(reason="referral", side="referrer"),
    entry(),
]


async def give(database: Database, guest: Guest, count: int, *, first: int = 0) -> None:
    """So many grants, each with its number for a reason."""
    async with database.transaction() as tx:
        user_id = await tx.scalar(
            text('SELECT "id" FROM public."User" WHERE "telegramId" = :id'), {"id": str(guest.user_id)}
        )
    for number in range(first, first + count):
        await asyncio.sleep(0.002)  # a time of its own, so that they stand in this order
        async with database.transaction() as tx:
            await ledger.grant(
                tx,
                user_id=str(user_id),
                amount=1,
                reason=f"number {number}",
                operator="command:test",
                key=f"grant:{number}",
            )


async def open_history(guest: Guest) -> Message:
    """The history, in the message that showed the balance."""
    asked = await guest.say("/balance")
    balance = await answer_to(guest, asked, "You have")
    await guest.press(balance, "History")
    return await shown(guest, balance, "What your stars did")


async def shown(guest: Guest, message: Message, wanted: str) -> Message:
    """This message once it shows these words."""
    return await guest.wait_for(lambda found: found.message_id == message.message_id and wanted in found.text)


def folders_in(path: Path) -> list[Path]:
    """The temporary folders there."""
    return list(path.glob("tmp*"))


async def read_table(guest: Guest, after: Message) -> list[list[str]]:
    sent = await guest.wait_for(lambda message: bool(message.document_id), after=after)
    content = await guest.download(sent.document_id)
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))


@pytest.mark.usefixtures("at_work")
class TestBalance:
    async def test_it_tells_the_figures_the_last_movements_and_where_to_go(
        self, ada: Guest, worker: Worker
    ) -> None:
        await start(ada)
        await ada.say("a red boat")
        await worker.wait_for_order()
        await worker.paint_all()
        asked = await ada.say("/balance")
        balance = await answer_to(ada, asked, "You have 17 stars.")
        assert "Bought so far: 0 stars. Spent so far: 3 stars." in balance.text
        assert "−3 · a picture" in balance.text
        assert "+20 · the welcome gift" in balance.text
        assert balance.labels == ["⭐ Top up", "History", "As a table (CSV)"]
        assert balance.buttons[0]["callback_data"] == "buy:menu"

    async def test_it_speaks_the_guests_language(self, make_guest: MakeGuest) -> None:
        bo = await make_guest("Bo", "ru")
        asked = await bo.say("/balance")
        assert "подарок за знакомство" in (await answer_to(bo, asked, "20 звёзд")).text


@pytest.mark.usefixtures("at_work")
class TestHistory:
    async def test_pages_turn_in_place_down_up_and_back(self, ada: Guest, database: Database) -> None:
        await start(ada)
        await give(database, ada, 19)
        first = await open_history(ada)
        assert first.labels == ["Older »", "Back to the balance"]
        assert "number 18" in first.text
        assert "balance 39" in first.text
        await ada.press(first, "Older")
        second = await shown(ada, first, "number 10")
        assert second.labels == ["« Newer", "Older »", "Back to the balance"]
        await ada.press(second, "Older")
        third = await shown(ada, first, "the welcome gift")
        assert third.labels == ["« Newer", "Back to the balance"]
        assert "balance 20" in third.text
        await ada.press(third, "Newer")
        again = await shown(ada, first, "number 10")
        assert again.text == second.text
        await ada.press(again, "Newer")
        assert (await shown(ada, first, "number 18")).text == first.text
        await ada.press(first, "Back")
        await shown(ada, first, "You have 39 stars.")

    async def test_an_old_page_still_turns_after_more_has_happened(
        self, ada: Guest, database: Database
    ) -> None:
        await start(ada)
        await give(database, ada, 12)
        first = await open_history(ada)
        await give(database, ada, 30, first=12)
        await ada.press(first, "Older")
        second = await shown(ada, first, "number 3")
        assert "number 4\n" not in second.text
        assert "the welcome gift" in second.text
        assert "balance 20" in second.text

    async def test_a_page_whose_message_is_gone_comes_anew(self, ada: Guest, database: Database) -> None:
        await start(ada)
        await give(database, ada, 12)
        first = await open_history(ada)
        await ada.add_fault("message_deleted", method="editMessageText")
        await ada.press(first, "Older")
        anew = await ada.wait_for(lambda message: "number 3" in message.text, after=first)
        assert anew.message_id > first.message_id

    async def test_a_picture_tells_its_words_and_a_cancelled_one_why_stars_came_back(
        self, ada: Guest, worker: Worker
    ) -> None:
        await start(ada)
        await ada.say("a <b>red</b> boat")
        await worker.wait_for_order()
        asked = await ada.say("/cancel")
        await answer_to(ada, asked, "Cancelled.")
        page = await open_history(ada)
        assert page.text.count("a <b>red</b> boat") == 2
        assert "given back" in page.text
        assert "It was cancelled." in page.text


@pytest.mark.usefixtures("at_work")
class TestTable:
    async def test_it_holds_every_movement_and_nothing_that_a_spreadsheet_would_run(
        self, ada: Guest, worker: Worker
    ) -> None:
        await start(ada)
        wish = '=HYPERLINK("http://evil.invalid", "a, red; boat")\nсегодня'
        await ada.say(wish)
        await worker.wait_for_order()
        asked = await ada.say("/balance")
        balance = await answer_to(ada, asked, "You have")
        pressed = await ada.press(balance, "CSV")
        assert pressed is not None
        assert pressed["text"] == "The table is on its way."
        head, hold, gift = await read_table(ada, balance)
        assert head == ["when (UTC)", "stars", "balance", "what", "for", "why", "id"]
        assert hold[1:4] == ["-3", "17", "set aside for a picture"]
        assert hold[4] == "'" + " ".join(wish.split())
        assert gift[1:4] == ["20", "20", "the welcome gift"]

    async def test_it_comes_once_a_minute(self, ada: Guest, database: Database) -> None:
        await start(ada)
        asked = await ada.say("/balance")
        balance = await answer_to(ada, asked, "You have")
        await ada.press(balance, "CSV")
        await read_table(ada, balance)
        pressed = await ada.press(balance, "CSV")
        assert pressed is not None
        assert pressed["text"].startswith("That was often enough for now. Please wait: about ")
        assert pressed["show_alert"]
        async with database.transaction() as tx:
            await tx.execute(text("UPDATE starbooth.guest_turns SET at = now() - interval '1 min'"))
        pressed = await ada.press(balance, "CSV")
        assert pressed is not None
        assert pressed["text"] == "The table is on its way."

    async def test_nothing_of_it_is_left_on_the_disk(
        self, ada: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        await start(ada)
        asked = await ada.say("/balance")
        balance = await answer_to(ada, asked, "You have")
        await ada.press(balance, "CSV")
        await read_table(ada, balance)
        asked = await ada.say("/balance")
        await answer_to(ada, asked, "You have")
        assert folders_in(tmp_path) == []


class TestForeignButtons:
    @pytest.mark.parametrize(
        "action",
        [
            "purse:",
            "purse:x",
            "purse:o:",
            "purse:o:zzzzzzzzz:c1:1:1",
            "purse:o:1:c1:1:1:1",
            "purse:o:1:c'--:1:1",
            "purse:n:1:c1:--1:1",
            "purse:o:1:" + "c" * 31 + ":1:1",
        ],
    )
    async def test_what_no_button_of_ours_says_does_nothing(
        self, database: Database, settings: Settings, action: str
    ) -> None:
        telegram = RecordingSession()
        terms: Terms = terms_of(settings)
        handlers = Handlers(database, Bot("42:TEST", session=telegram), terms)
        await handlers.handle(press_update(1, action))
        assert telegram.toasts == ["This button does nothing any more. Nothing was charged."]


class TestScreens:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_every_kind_of_movement_is_told_in_words_of_its_own(self, language: Language) -> None:
        rows = [screens.table_row(words_for(language), each) for each in EVERY_ENTRY]
        assert len({row[3] for row in rows}) == len(EVERY_ENTRY)

    def test_the_reason_of_a_refund_and_of_a_grant_is_told_and_no_other_note(self) -> None:
        told = [
            screens.table_row(ENGLISH, each)[5]
            for each in (
                entry(amount=-50, kind=KINDS.REFUND, of_kind=KINDS.PURCHASE, reason="paid\ntwice"),
                entry(amount=9, kind=KINDS.ADMIN_GRANT, reason="sorry"),
                entry(amount=3, kind=KINDS.REFUND, of_kind=KINDS.GENERATION, reason="deadline"),
                entry(reason="welcome"),
            )
        ]
        assert told == ["paid twice", "sorry", "It took longer than anybody should wait.", ""]

    @pytest.mark.parametrize("beginning", ["=", "+", "-", "@", "＝", "\t="])
    def test_a_cell_that_looks_like_a_formula_is_made_harmless_and_numbers_stay_numbers(
        self, beginning: str
    ) -> None:
        row = screens.table_row(
            ENGLISH,
            entry(amount=-9, kind=KINDS.ADMIN_GRANT, reason=f"{beginning}1+1", prompt=f"{beginning}1"),
        )
        assert row[1] == "-9"
        assert row[4] == f"'{beginning.strip()}1"
        assert row[5] == f"'{beginning.strip()}1+1"

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_the_longest_page_fits_into_a_message_and_its_buttons_into_theirs(
        self, language: Language
    ) -> None:
        longest = entry(
            amount=-1_000_000,
            kind=KINDS.REFUND,
            status=STATES.PENDING,
            of_kind=KINDS.PURCHASE,
            prompt="🦊<&" * 500,
            reason="&<>" * 500,
        )
        page = Page(entries=(longest,) * 8, older=PLACE, newer=PLACE)
        screen = screens.render_history(words_for(language), page)
        Tags(screen.html)
        assert shown_length(screen) < 4096
        for button in (button for row in screen.rows for button in row):
            assert len(button.action.encode()) <= 64

    @pytest.mark.parametrize(
        "place",
        [
            PLACE,
            Place(at=AT, entry_id="c1", balance_stars=0, read_at=PLACE.read_at),
            Place(
                at=AT, entry_id="c1", balance_stars=2**31 - 1, read_at=PLACE.read_at + timedelta(days=9000)
            ),
        ],
    )
    def test_a_place_survives_its_button(self, place: Place) -> None:
        page = Page(entries=(entry(),), older=place, newer=place)
        newer, older = screens.render_history(ENGLISH, page).rows[0]
        assert screens.parse_place(newer.action) == ("newer", place)
        assert screens.parse_place(older.action) == ("older", place)

    @pytest.mark.parametrize("language", LANGUAGES)
    def test_a_debt_is_told_as_one(self, language: Language) -> None:
        totals = Totals(stars=-42, bought_stars=0, spent_stars=72)
        screen = screens.render_balance(words_for(language), totals, EVERY_ENTRY[:5])
        Tags(screen.html)
        assert "42" in screen.html.split("\n")[0]
        assert "-42" not in screen.html

    def test_a_table_that_was_cut_says_so(self) -> None:
        assert "50000" in str(screens.render_export(ENGLISH, is_cut=True, most=MOST_ROWS))
        assert "Every movement" in str(screens.render_export(ENGLISH, is_cut=False, most=MOST_ROWS))
