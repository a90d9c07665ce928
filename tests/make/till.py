"""Payments in the playground without a bot that listens: the ledger learns of them when a test says so."""

from dataclasses import dataclass
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from aiogram import Bot
from aiogram.types import LabeledPrice

from starbooth.base.database import Database, sql
from starbooth.domain.payments.credit import credit
from starbooth.domain.payments.payment import Credited, Payment
from starbooth.domain.payments.refunds import Begun, begin
from starbooth.domain.payments.shop import Shop
from starbooth.domain.stars import ledger
from starbooth.domain.stars.tables import TransactionType
from starbooth.domain.users.guests import Language, meet
from tests.make.payments import SHOP
from tests.playground.guest import Guest


@dataclass(frozen=True, kw_only=True)
class Sale:
    """A payment as Telegram has it; `user_id` is the payer's account with us."""

    charge_id: str
    telegram_id: int
    user_id: str
    amount_xtr: int


class Till:
    """One guest, Ada, in the playground, who pays."""

    def __init__(self, url: str, bot: Bot, database: Database) -> None:
        self.guest = Guest(url, "Ada")
        self.shop: Shop = SHOP
        self._bot, self._database = bot, database

    async def __aenter__(self) -> Self:
        await self.guest.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.guest.__aexit__(kind, problem, trace)

    async def sell(self, *, amount_xtr: int = 50, is_credited: bool = True) -> Sale:
        """Ada pays. Not credited: its update is never looked at, as if it were lost."""
        async with self._database.transaction() as tx:
            ada = await meet(
                tx,
                telegram_id=self.guest.user_id,
                chat_id=self.guest.user_id,
                username="ada",
                language=Language.ENGLISH,
            )
        link = await self._bot.create_invoice_link(
            title="Stars",
            description="Stars",
            payload="of another time",
            currency="XTR",
            prices=[LabeledPrice(label="Stars", amount=amount_xtr)],
        )
        await self.guest.add_fault("unasked_payment", method="pre_checkout_query")
        paid = await self.guest.pay(link)
        assert paid.status == "paid", paid
        sale = Sale(
            charge_id=paid.charge_id,
            telegram_id=self.guest.user_id,
            user_id=ada.user_id,
            amount_xtr=amount_xtr,
        )
        if is_credited:
            await self.credit(sale)
        return sale

    async def credit(self, sale: Sale) -> Credited:
        """Do what the update would have done."""
        payment = Payment(
            charge_id=sale.charge_id,
            telegram_id=sale.telegram_id,
            payload="of another time",
            amount_xtr=sale.amount_xtr,
            paid_at=datetime.now(UTC),
            came_by="update",
        )
        async with self._database.transaction() as tx:
            return await credit(tx, payment, shop=self.shop)

    async def begin(self, sale: Sale, *, operator: str = "command:eve", is_forced: bool = False) -> Begun:
        """An operator begins a refund."""
        async with self._database.transaction() as tx:
            return await begin(
                tx,
                charge_id=sale.charge_id,
                operator=operator,
                reason="<it> did not work",
                is_forced=is_forced,
            )

    async def spend(self, sale: Sale, stars: int) -> None:
        """Ada orders pictures for so many stars."""
        async with self._database.transaction() as tx:
            held = await ledger.hold(
                tx,
                user_id=sale.user_id,
                price_stars=stars,
                purpose=TransactionType.GENERATION,
                key=f"spend:{sale.charge_id}:{stars}",
                facts={},
            )
            await ledger.settle(tx, hold_id=held.transaction_id, spent_stars=stars, facts={})

    async def rows(self) -> list[tuple[str, int, str]]:
        """All ledger rows: type, amount, status."""
        async with self._database.transaction() as tx:
            rows = await tx.execute(
                sql(
                    'SELECT "type"::text, "amount", "status"::text'
                    ' FROM public."StarTransaction" ORDER BY 1, 2, 3'
                )
            )
            return [(row[0], row[1], row[2]) for row in rows]

    async def alerts(self) -> list[str]:
        """The kinds of all news for operators, sorted."""
        async with self._database.transaction() as tx:
            return list((await tx.execute(sql("SELECT kind FROM starbooth.alerts ORDER BY 1"))).scalars())
