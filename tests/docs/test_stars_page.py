"""The account in docs/stars.md is run, row by row: each row and figure on the page is what comes out."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from sqlalchemy import text

from starbooth.base.database import Database
from starbooth.domain.stars import buying, ledger
from starbooth.domain.stars.errors import AmountRefused
from starbooth.domain.stars.tables import TransactionType
from tests.make.audits import assert_accounts_are_true
from tests.make.guests import make_guest, read_stars

PAGE = Path(__file__).parents[2] / "docs" / "stars.md"


@dataclass(frozen=True)
class Line:
    """One line of the page's account."""

    what: str
    row: tuple[str, int, str] | None
    is_new: bool
    figures: tuple[int, int, int]


def read_page() -> list[Line]:
    lines = []
    for written in PAGE.read_text().splitlines():
        cells = [cell.strip() for cell in written.split("|")[1:-1]]
        if len(cells) != 7 or cells[0] not in ("+", "="):
            continue
        sign, what, moved, status, balance, bought, spent = cells
        kind, _, amount = moved.partition(" ")
        row = (kind, number(amount), status) if kind else None
        lines.append(Line(what, row, sign == "+", (number(balance), number(spent), number(bought))))
    return lines


def number(text: str) -> int:
    return int(text.replace("−", "-"))


@dataclass
class Account:
    """Ada's account, and what the steps have to remember of earlier ones."""

    database: Database
    user_id: str
    made: dict[str, str] = field(default_factory=dict)

    async def hold(
        self, name: str, price: int, purpose: TransactionType = TransactionType.GENERATION
    ) -> None:
        async with self.database.transaction() as tx:
            held = await ledger.hold(
                tx, user_id=self.user_id, price_stars=price, purpose=purpose, key=name, facts={}
            )
        self.made[name] = held.transaction_id

    async def settle(self, name: str, spent: int) -> None:
        async with self.database.transaction() as tx:
            await ledger.settle(tx, hold_id=self.made[name], spent_stars=spent, facts={})

    async def give(self, amount: int, *, is_bonus: bool) -> None:
        async with self.database.transaction() as tx:
            if is_bonus:
                await ledger.credit_bonus(tx, user_id=self.user_id, amount=amount, key="gift", facts={})
            else:
                await ledger.grant(
                    tx, user_id=self.user_id, amount=amount, reason="sorry", operator="o", key=f"g{amount}"
                )

    async def open(self, name: str, amount: int) -> None:
        async with self.database.transaction() as tx:
            opened = await buying.open_purchase(tx, user_id=self.user_id, amount=amount, key=name, facts={})
        self.made[name] = opened.transaction_id

    async def pay(self, name: str, charge: str, amount: int) -> None:
        async with self.database.transaction() as tx:
            paid = await buying.credit_payment(
                tx,
                user_id=self.user_id,
                amount=amount,
                charge_id=charge,
                purchase_id=self.made[name],
                facts={},
            )
        self.made[charge] = paid.transaction_id

    async def fail(self, name: str) -> None:
        async with self.database.transaction() as tx:
            assert await buying.fail_purchase(tx, purchase_id=self.made[name])

    async def begin_refund(self, charge: str) -> None:
        async with self.database.transaction() as tx:
            begun = await buying.begin_refund(
                tx, purchase_id=self.made[charge], may_go_below_zero=False, facts={}
            )
        self.made[f"refund of {charge}"] = begun.transaction_id

    async def settle_refund(self, charge: str) -> None:
        async with self.database.transaction() as tx:
            await buying.settle_refund(tx, purchase_id=self.made[charge], facts={})

    async def drop_refund(self, charge: str) -> None:
        async with self.database.transaction() as tx:
            await buying.drop_refund(tx, refund_id=self.made[f"refund of {charge}"], facts={})

    async def rows(self) -> list[tuple[str, tuple[str, int, str]]]:
        """Id, type, amount and status of every row."""
        async with self.database.transaction() as tx:
            rows = await tx.execute(
                text('SELECT "id", "type"::text, "amount", "status"::text FROM public."StarTransaction"')
            )
            return [(row[0], (row[1], row[2], row[3])) for row in rows]


async def nothing() -> None:
    """A step whose line tells the second half of the step before."""


async def refused_grant(account: Account) -> None:
    with pytest.raises(AmountRefused):
        await account.give(0, is_bonus=False)


def steps(ada: Account) -> list[Callable[[], Awaitable[None]]]:
    """What happens at each line of the page, in its order."""
    return [
        lambda: ada.give(20, is_bonus=True),
        lambda: ada.hold("one", 3),
        lambda: ada.settle("one", 3),
        lambda: ada.hold("four", 12),
        lambda: ada.settle("four", 9),
        nothing,
        lambda: ada.hold("bad", 3),
        lambda: ada.settle("bad", 0),
        nothing,
        lambda: ada.open("pack", 50),
        lambda: ada.pay("pack", "stx1", 50),
        lambda: ada.pay("pack", "stx2", 50),
        lambda: ada.begin_refund("stx2"),
        lambda: ada.settle_refund("stx2"),
        nothing,
        lambda: ada.begin_refund("stx1"),
        lambda: ada.drop_refund("stx1"),
        lambda: ada.open("unpaid", 100),
        lambda: ada.fail("unpaid"),
        lambda: ada.give(10, is_bonus=False),
        lambda: ada.hold("training", 60, TransactionType.TRAINING),
        lambda: ada.settle("training", 60),
        lambda: ada.settle_refund("stx1"),
        nothing,
        lambda: refused_grant(ada),
        lambda: ada.open("again", 100),
        lambda: ada.pay("again", "stx3", 100),
    ]


@pytest.fixture
async def ada(database: Database) -> AsyncIterator[Account]:
    yield Account(database, await make_guest(database))
    await assert_accounts_are_true(database)


async def test_every_line_of_the_account_is_what_comes_out(ada: Account) -> None:
    lines, acts = read_page(), steps(ada)
    assert len(lines) == len(acts) == 27
    before: dict[str, tuple[str, int, str]] = {}
    changed: list[tuple[tuple[str, int, str], bool]] = []
    for line, act in zip(lines, acts, strict=True):
        await act()
        if act is not nothing:
            assert changed == [], f"before {line.what!r} more happened than the page tells"
            after = dict(await ada.rows())
            changed = [
                (row, row_id not in before) for row_id, row in after.items() if before.get(row_id) != row
            ]
            before = after
        assert await read_stars(ada.database, ada.user_id) == line.figures, line.what
        if line.row is None:
            assert changed == [], line.what
        else:
            assert (line.row, line.is_new) in changed, line.what
            changed.remove((line.row, line.is_new))


def test_every_type_and_status_has_its_line() -> None:
    rows = [line.row for line in read_page() if line.row]
    assert {kind for kind, _, _ in rows} == {kind.value for kind in TransactionType}
    assert {status for _, _, status in rows} == {"PENDING", "COMPLETED", "FAILED", "REFUNDED"}
