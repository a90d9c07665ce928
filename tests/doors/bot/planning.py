"""Steps that tests of the monthly plan share, and what its tables say."""

import asyncio
from dataclasses import dataclass

from starbooth.base.database import Database, sql
from tests.doors.bot.chat import balance_of
from tests.playground.guest import Guest, Message

WELCOME = 20
MONTH_STARS = 360  # the plan of the settings: 300+60=300


def is_about_plan(message: Message) -> bool:
    """Whether it is a plan's screen, in any language, and not the thanks for a payment."""
    return any(name in message.text for name in ("monthly plan", "plan mensual", "есячный план"))


async def ask_plan(guest: Guest) -> Message:
    """What /plan answers."""
    asked = await guest.say("/plan")
    return await guest.wait_for(is_about_plan, after=asked)


def link_of(offer: Message) -> str:
    return next(str(button["url"]) for button in offer.buttons if "url" in button)


async def wait_for_stars(database: Database, guest: Guest, wanted: int) -> None:
    """Return once the balance is this. Raises: AssertionError."""
    for _ in range(300):
        if await balance_of(database, guest) == wanted:
            return
        await asyncio.sleep(0.02)
    assert await balance_of(database, guest) == wanted


async def subscribe(database: Database, guest: Guest) -> str:
    """Take the plan; returns the charge id of the first payment once its stars are there."""
    paid = await guest.pay(link_of(await ask_plan(guest)))
    assert paid.status == "paid", paid
    await wait_for_stars(database, guest, WELCOME + MONTH_STARS)
    return paid.charge_id


async def let_a_month_pass(database: Database) -> None:
    """Make what the booth knows a month older; Telegram's own clock stays."""
    async with database.transaction() as tx:
        await tx.execute(
            sql(
                "UPDATE starbooth.payments SET paid_at = paid_at - interval '30 days',"
                " subscription_expires_at = subscription_expires_at - interval '30 days'"
            )
        )
        await tx.execute(
            sql("UPDATE starbooth.subscriptions SET created_at = created_at - interval '30 days'")
        )


@dataclass(frozen=True)
class Row:
    state: str
    first_charge_id: str
    days: int


async def read_rows(database: Database) -> list[Row]:
    async with database.transaction() as tx:
        rows = await tx.execute(
            sql(
                "SELECT state, first_charge_id,"
                " round(extract(epoch FROM paid_until - created_at) / 86400)::integer AS days"
                " FROM starbooth.subscriptions ORDER BY created_at"
            )
        )
        return [Row(**row._mapping) for row in rows]


async def read_flags(database: Database) -> list[str | None]:
    async with database.transaction() as tx:
        rows = await tx.execute(sql("SELECT flag FROM starbooth.payments ORDER BY created_at"))
        return list(rows.scalars())


async def wait_for_state(database: Database, wanted: str) -> None:
    for _ in range(300):
        if [row.state for row in await read_rows(database)] == [wanted]:
            return
        await asyncio.sleep(0.02)
    assert [row.state for row in await read_rows(database)] == [wanted]
