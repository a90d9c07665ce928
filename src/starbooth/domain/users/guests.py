"""Meeting guests and finding them again."""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import or_, select, text, update

from starbooth.base.database import Tx
from starbooth.base.ids import new_id
from starbooth.domain.users.errors import NoSuchGuest
from starbooth.domain.users.tables import guests, users


class Language(StrEnum):
    """The languages that we ship."""

    ENGLISH = "en"
    SPANISH = "es"
    RUSSIAN = "ru"


def language_for(code: str | None) -> Language:
    """The language we ship for an IETF tag such as `es-MX`; English where we have none."""
    try:
        return Language((code or "").partition("-")[0].lower())
    except ValueError:
        return Language.ENGLISH


@dataclass(frozen=True, kw_only=True)
class Guest:
    """A person as the bot knows them. `is_new` is true in the transaction that met them first."""

    user_id: str
    telegram_id: int
    chat_id: int
    language: Language
    stars: int
    is_new: bool


# One statement: everybody who writes passes here. The update of an unchanged row is skipped, so that a
# chatty guest does not leave a dead row per message.
_MEET = text("""
    WITH person AS (
        INSERT INTO public."User" ("id", "telegramId", "username", "updatedAt")
        VALUES (:id, :telegram_id, :username, timezone('UTC', now()))
        ON CONFLICT ("telegramId") DO UPDATE
            SET "username" = excluded."username", "updatedAt" = excluded."updatedAt"
            WHERE public."User"."username" IS DISTINCT FROM excluded."username"
        RETURNING "id", "stars", xmax = 0 AS is_new
    ), found AS (
        SELECT "id", "stars", is_new FROM person
        UNION ALL
        SELECT "id", "stars", false FROM public."User"
            WHERE "telegramId" = :telegram_id AND NOT EXISTS (SELECT FROM person)
    ), kept AS (
        INSERT INTO starbooth.guests (user_id, chat_id, language, has_blocked_bot)
        SELECT "id", :chat_id, :language, :is_elsewhere FROM found
        ON CONFLICT (user_id) DO UPDATE
            SET chat_id = excluded.chat_id, language = excluded.language,
                has_blocked_bot = guests.has_blocked_bot AND excluded.has_blocked_bot
            WHERE (guests.chat_id, guests.language, guests.has_blocked_bot) IS DISTINCT FROM
                (excluded.chat_id, excluded.language, guests.has_blocked_bot AND excluded.has_blocked_bot)
    )
    SELECT "id", "stars", is_new FROM found
""")


# Most messages come from somebody of whom everything is known: then nothing is written or locked.
_MET = text("""
    SELECT u."id", u."stars" FROM public."User" u JOIN starbooth.guests g ON g.user_id = u."id"
    WHERE u."telegramId" = :telegram_id AND u."username" IS NOT DISTINCT FROM :username
        AND g.chat_id = :chat_id AND g.language = :language AND NOT g.has_blocked_bot
""")


async def find_met(
    tx: Tx, *, telegram_id: int, chat_id: int, username: str | None, language: Language
) -> Guest | None:
    """The person, if `meet` would find nothing new about them; one statement, which locks nothing."""
    facts = {
        "telegram_id": str(telegram_id),
        "username": username,
        "chat_id": chat_id,
        "language": language.value,
    }
    row = (await tx.execute(_MET, facts)).first()
    if row is None:
        return None
    return Guest(
        user_id=row.id,
        telegram_id=telegram_id,
        chat_id=chat_id,
        language=language,
        stars=row.stars,
        is_new=False,
    )


async def meet(
    tx: Tx,
    *,
    telegram_id: int,
    chat_id: int,
    username: str | None,
    language: Language,
    is_elsewhere: bool = False,
) -> Guest:
    """Know this person from now on, and return them. Safe to repeat, also from two processes at once.

    chat_id: of their private chat. is_elsewhere: they were not met there but in a group, so that chat takes
    no message of ours unless it did before.
    Locks: the person's rows, only when something about them changed.
    """
    facts = {
        "id": new_id(),
        "telegram_id": str(telegram_id),
        "username": username,
        "chat_id": chat_id,
        "language": language.value,
        "is_elsewhere": is_elsewhere,
    }
    row = (await tx.execute(_MEET, facts)).first()
    if row is None:  # two processes met the same person at once; by now the other one's row can be seen
        row = (await tx.execute(_MEET, facts)).one()
    return Guest(
        user_id=row.id,
        telegram_id=telegram_id,
        chat_id=chat_id,
        language=language,
        stars=row.stars,
        is_new=row.is_new,
    )


async def find_guest(tx: Tx, *, telegram_id: int) -> Guest | None:
    """This person, where they are a guest; nobody is met by it."""
    row = (
        await tx.execute(
            select(users.c.id, users.c.stars, guests.c.chat_id, guests.c.language)
            .join(guests, guests.c.user_id == users.c.id)
            .where(users.c.telegramId == str(telegram_id))
        )
    ).first()
    if row is None:
        return None
    return Guest(
        user_id=row.id,
        telegram_id=telegram_id,
        chat_id=row.chat_id,
        language=Language(row.language),
        stars=row.stars,
        is_new=False,
    )


async def find_user(tx: Tx, who: str) -> str:
    """The id of the user with this id, Telegram id, or username (with or without `@`). Raises NoSuchGuest."""
    name = who.removeprefix("@")
    matches = or_(users.c.id == who, users.c.telegramId == who, users.c.username == name)
    found = (await tx.execute(select(users.c.id).where(matches).limit(2))).scalars().all()
    if len(found) != 1:
        raise NoSuchGuest(who)
    return str(found[0])


async def note_blocked(tx: Tx, *, chat_id: int) -> None:
    """Remember that this chat no longer takes our messages, until the guest writes again. Safe to repeat."""
    await tx.execute(update(guests).where(guests.c.chat_id == chat_id).values(has_blocked_bot=True))
