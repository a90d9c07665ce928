"""Steps of panels that chat tests share."""

import asyncio
from typing import Any

from starbooth.base.database import Database
from starbooth.domain.generations.choices import Choices
from starbooth.domain.studio.remembered import Remembered, read_remembered
from starbooth.domain.users.guests import find_user
from starbooth.domain.users.pace import Pace
from starbooth.doors.bot.inbox import keep_updates
from tests.doors.bot.buying import execute, rows
from tests.playground.guest import Guest, Message


async def open_settings(guest: Guest) -> Message:
    """Say /settings and get the panel."""
    asked = await guest.say("/settings")
    return await guest.wait_for(lambda message: "Your settings" in message.text, after=asked)


async def press(guest: Guest, panel: Message, label: str) -> dict[str, Any]:
    """Press a button of the panel as it stands now, and return the answer."""
    answer = await guest.press(await now(guest, panel), label)
    assert answer is not None
    return answer


async def now(guest: Guest, message: Message) -> Message:
    """A message as it stands now."""
    found = [each for each in await guest.messages() if each.message_id == message.message_id]
    return found[0]


async def choose(guest: Guest, panel: Message, *labels: str) -> Message:
    """Press one button after another and return the panel as it is then."""
    for label in labels:
        await press(guest, panel, label)
    return await now(guest, panel)


async def deliver(database: Database, *updates: dict[str, Any]) -> None:
    """Put updates into the inbox, past the playground; wait until each is handled. Raises: TimeoutError."""
    async with database.transaction() as tx:
        await keep_updates(tx, list(updates))
    ids = [update["update_id"] for update in updates]
    statement = "SELECT state FROM starbooth.inbox WHERE update_id = ANY (:ids)"
    for _ in range(500):
        states = {state for (state,) in await rows(database, statement, ids=ids)}
        if states == {"handled"}:
            return
        assert "failed" not in states
        await asyncio.sleep(0.02)
    raise TimeoutError


async def remembered(database: Database, guest: Guest) -> Remembered:
    """What is remembered of this guest."""
    async with database.transaction() as tx:
        return await read_remembered(tx, user_id=await find_user(tx, str(guest.user_id)))


async def choices_of(database: Database, guest: Guest) -> Choices:
    """What this guest chose for all that they order."""
    return (await remembered(database, guest)).choices


async def use_up(database: Database, pace: Pace) -> None:
    """Have every guest do this so often that once more is too often."""
    statement = (
        "INSERT INTO starbooth.guest_turns (user_id, kind, key)"
        """ SELECT "id", :kind, n::text FROM public."User", generate_series(1, :most) AS n"""
    )
    await execute(database, statement, kind=pace.kind, most=pace.most)
