"""Steps that chat tests share."""

from sqlalchemy import text

from starbooth.base.database import Database
from tests.playground.guest import Guest, Message


async def start(guest: Guest) -> Message:
    """Say /start and wait for the greeting."""
    await guest.say("/start")
    return await guest.wait_for(lambda message: bool(message.text))


async def answer_to(guest: Guest, asked: Message, wanted: str) -> Message:
    """The bot's later message that holds these words."""
    return await guest.wait_for(lambda message: wanted in message.text, after=asked)


async def balance_of(database: Database, guest: Guest) -> int:
    """The guest's stars."""
    async with database.transaction() as tx:
        found = await tx.scalar(
            text('SELECT "stars" FROM public."User" WHERE "telegramId" = :id'), {"id": str(guest.user_id)}
        )
    assert found is not None
    return int(found)
