"""An account that its guest deletes: what would go, and the moment from which it is nobody's any more.

In one transaction the account loses its name, so whoever writes next is a new guest, and nothing of what is
under way is shown to anybody. All else goes after that, by a worker (`erasing`): it may take a while, and a
kill in between costs nothing. The ledger stays, since it is the booth's accounts.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from starbooth.base.database import Tx, sql
from starbooth.base.ids import new_id
from starbooth.domain.gifts.before import Marks, note_given, read_gifts
from starbooth.domain.users.guests import Guest

# Handlers of the same person that are at work in this moment may still write under the old account.
_HANDLERS_END = timedelta(seconds=5)

_LOCK = sql('SELECT "telegramId" FROM public."User" WHERE "id" = :user_id FOR UPDATE')
_BEGIN = sql("""
    INSERT INTO starbooth.farewells (user_id, chat_id, language, due_at)
    VALUES (:user_id, :chat_id, :language, now() + :pause)
    ON CONFLICT DO NOTHING RETURNING 1
""")
_UNNAME = sql("""
    UPDATE public."User" SET "telegramId" = :nobody, "username" = NULL,
        "updatedAt" = timezone('UTC', clock_timestamp())
    WHERE "id" = :user_id
""")
_UNNAME_WELCOME = sql("""
    UPDATE public."StarTransaction"
    SET metadata = jsonb_set(metadata, '{key}', to_jsonb('welcome:' || CAST(:user_id AS text)))
    WHERE metadata ->> 'key' = 'welcome:' || CAST(:telegram_id AS text) AND "userId" = :user_id
""")
# Whatever is under way ends at once, as if its time were up: what is there is paid for, the rest goes back.
END_ORDERS = sql("""
    UPDATE starbooth.orders SET deadline_at = least(deadline_at, now())
    WHERE user_id = :user_id AND state IN ('held', 'running')
""")
_SHOW_NOTHING = sql("""
    DELETE FROM starbooth.deliveries d USING starbooth.orders o
    WHERE o.id = d.order_id AND o.user_id = :user_id
""")
_COUNT = sql("""
    SELECT u."stars" AS stars,
        (SELECT count(*) FROM public."Generation" WHERE "userId" = u."id") AS pictures,
        (SELECT count(*) FROM public."LoraModel" WHERE "userId" = u."id") AS models,
        (SELECT count(*) FROM starbooth.orders
            WHERE user_id = u."id" AND state IN ('held', 'running')) AS orders,
        EXISTS (SELECT FROM starbooth.subscriptions
            WHERE user_id = u."id" AND state = 'active' AND paid_until > now()) AS has_plan,
        EXISTS (SELECT FROM starbooth.payments WHERE user_id = u."id") AS has_paid
    FROM public."User" u WHERE u."id" = :user_id
""")


@dataclass(frozen=True, kw_only=True)
class Belongings:
    """What would go with an account. orders: that wait or run."""

    stars: int
    pictures: int
    models: int
    orders: int
    has_plan: bool
    has_paid: bool


async def count_belongings(tx: Tx, *, user_id: str) -> Belongings:
    """What this guest would lose."""
    return Belongings(**(await tx.execute(_COUNT, {"user_id": user_id})).one()._mapping)


async def begin_farewell(tx: Tx, *, guest: Guest, marks: Marks, today: date) -> bool:
    """Take the name off an account for good. False where that was done before. Repeat: harmless.

    Gifts that a person gets once are remembered beyond the account, as marks. Locks: the account.
    """
    user_id = guest.user_id
    written = await tx.scalar(_LOCK, {"user_id": user_id})
    if written != str(guest.telegram_id):
        return False
    gifts = await read_gifts(tx, user_id=user_id, today=today)
    await note_given(tx, [marks.of(gift, guest.telegram_id) for gift in gifts])
    begun = await tx.execute(
        _BEGIN,
        {
            "user_id": user_id,
            "chat_id": guest.chat_id,
            "language": guest.language.value,
            "pause": _HANDLERS_END,
        },
    )
    assert begun.first() is not None, "an account without a name has a farewell, and none other has"
    await tx.execute(_UNNAME, {"user_id": user_id, "nobody": f"gone:{new_id()}"})
    await tx.execute(_UNNAME_WELCOME, {"user_id": user_id, "telegram_id": str(guest.telegram_id)})
    for statement in (
        END_ORDERS,
        _SHOW_NOTHING,
        sql("DELETE FROM starbooth.guests WHERE user_id = :user_id"),
    ):
        await tx.execute(statement, {"user_id": user_id})
    return True
