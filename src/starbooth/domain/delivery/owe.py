"""Owing: every change of an order that its guest should see raises `owed`; showing it raises `shown`.

One row per order and one message per order. A worker that shows has the row to itself for a while
(`busy_until`), so two cannot edit the message in the wrong order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import text

from starbooth.base.database import Tx, sql
from starbooth.base.jobs import Job
from starbooth.domain.users.guests import Language

SHOW = "show"
_BUSY_FOR = timedelta(seconds=30)


@dataclass(frozen=True, kw_only=True)
class Delivery:
    """One order's message as claimed. `message_id` None: nothing was sent yet, or it was deleted.

    thread_id: the topic of a group, None for none. album, album_sends: see `tiles`.
    """

    order_id: str
    chat_id: int
    reply_to_message_id: int | None
    thread_id: int | None
    message_id: int | None
    language: Language
    owed: int
    fingerprint: str | None
    tries: int
    album: Mapping[str, Any] = field(default_factory=dict)
    album_sends: int = 0


# A claim and the note of what was shown may be lost when PostgreSQL itself dies: the message is then put into
# the chat once more, as after any kill between the chat and the note. So they wait for no disk. The setting
# stands in RETURNING, where it costs no round trip; it holds until the transaction ends.
_CLAIM = text("""
    UPDATE starbooth.deliveries SET busy_until = now() + :busy_for
    WHERE order_id = :id AND state = 'open' AND shown < owed AND due_at <= now()
        AND (busy_until IS NULL OR busy_until <= now())
    RETURNING order_id, chat_id, reply_to_message_id, thread_id, message_id, language, owed, fingerprint,
        tries, album, album_sends, set_config('synchronous_commit', 'off', true) AS _
""")


def show_job(order_id: str) -> Job:
    """The job that shows what is owed of an order."""
    return Job(name=SHOW, facts={"order": order_id})


@dataclass(frozen=True, kw_only=True)
class Recipient:
    """The chat that waits for what was ordered, in a group its topic, and the message that asked."""

    chat_id: int
    reply_to_message_id: int | None
    language: Language
    thread_id: int | None = None


async def open_delivery(tx: Tx, order_id: str, recipient: Recipient) -> None:
    """Owe this chat, or this topic of it, everything about an order from now on. Repeat: harmless."""
    await tx.execute(
        sql(
            "INSERT INTO starbooth.deliveries (order_id, chat_id, reply_to_message_id, thread_id, language)"
            " VALUES (:id, :chat_id, :reply_to, :thread_id, :language) ON CONFLICT DO NOTHING"
        ),
        {
            "id": order_id,
            "chat_id": recipient.chat_id,
            "reply_to": recipient.reply_to_message_id,
            "thread_id": recipient.thread_id,
            "language": recipient.language.value,
        },
    )


async def owe(tx: Tx, order_id: str) -> bool:
    """Note that the order changed. False where nobody waits for it in a chat."""
    rows = await tx.execute(
        sql(
            "UPDATE starbooth.deliveries SET owed = owed + 1"
            " WHERE order_id = :id AND state = 'open' RETURNING 1"
        ),
        {"id": order_id},
    )
    return rows.first() is not None


async def owe_news(tx: Tx, *, not_sooner_than: timedelta, limit: int) -> list[str]:
    """Owe a fresh look to active orders whose message is older than this: their place may have changed.

    In groups, where Telegram takes twenty messages and edits a minute from us, seven times as old.
    """
    rows = await tx.execute(
        sql("""
            UPDATE starbooth.deliveries SET owed = owed + 1, due_at = now()
            WHERE order_id IN (
                SELECT d.order_id FROM starbooth.deliveries d JOIN starbooth.orders o ON o.id = d.order_id
                WHERE d.state = 'open' AND d.shown = d.owed AND d.due_at < now() - CAST(:age AS interval)
                    AND (d.chat_id > 0 OR d.due_at < now() - 7 * CAST(:age AS interval))
                    AND o.state IN ('held', 'running')
                ORDER BY d.due_at LIMIT :limit FOR UPDATE OF d SKIP LOCKED)
            RETURNING order_id
        """),
        {"age": not_sooner_than, "limit": limit},
    )
    return list(rows.scalars())


async def find_owed(tx: Tx, *, limit: int) -> list[str]:
    """Deliveries that are due and that nobody is busy with."""
    rows = await tx.execute(
        sql(
            "SELECT order_id FROM starbooth.deliveries WHERE state = 'open' AND shown < owed"
            " AND due_at <= now() AND (busy_until IS NULL OR busy_until <= now())"
            " ORDER BY due_at LIMIT :limit"
        ),
        {"limit": limit},
    )
    return list(rows.scalars())


async def claim_delivery(tx: Tx, order_id: str) -> Delivery | None:
    """Have the message to oneself for half a minute; None where nothing is owed or somebody else is at it."""
    row = (await tx.execute(_CLAIM, {"id": order_id, "busy_for": _BUSY_FOR})).first()
    if row is None:
        return None
    facts = {name: value for name, value in row._mapping.items() if name != "_"}
    return Delivery(**{**facts, "language": Language(row.language)})


async def adopt_message(tx: Tx, order_id: str, message_id: int) -> None:
    """Have a message that is in the chat already stand for a new order, instead of one to be sent.

    Repeat: harmless; an order that has a message keeps it.
    """
    await tx.execute(
        sql(
            "UPDATE starbooth.deliveries SET message_id = :message_id"
            " WHERE order_id = :id AND message_id IS NULL"
        ),
        {"id": order_id, "message_id": message_id},
    )


async def note_message(tx: Tx, order_id: str, message_id: int | None) -> None:
    """Remember which message stands for the order; None forgets one that is gone."""
    await tx.execute(
        sql("UPDATE starbooth.deliveries SET message_id = :message_id WHERE order_id = :id"),
        {"id": order_id, "message_id": message_id},
    )


async def note_shown(
    tx: Tx, delivery: Delivery, *, fingerprint: str, is_final: bool, message_id: int | None = None
) -> bool:
    """Note that what was owed at the claim is shown. True where more has become owed since.

    message_id: the message that stands for the order now; None leaves the one that is noted.

    Who took so long that another has shown more since has put old words over new ones: all is owed again.
    """
    row = (
        await tx.execute(
            sql("""
                UPDATE starbooth.deliveries SET shown = :owed, fingerprint = :fingerprint, busy_until = NULL,
                    tries = 0, due_at = now(), message_id = coalesce(CAST(:message_id AS bigint), message_id),
                    state = CASE WHEN owed > :owed AND state = 'delivered' THEN 'open'
                        WHEN owed = :owed AND :is_final THEN 'delivered' ELSE state END,
                    delivered_at = CASE WHEN owed = :owed AND :is_final THEN now() END
                WHERE order_id = :id
                RETURNING owed > :owed AS owes_more, set_config('synchronous_commit', 'off', true)
            """),
            {
                "id": delivery.order_id,
                "owed": delivery.owed,
                "fingerprint": fingerprint,
                "is_final": is_final,
                "message_id": message_id,
            },
        )
    ).one()
    return bool(row.owes_more)


async def postpone(tx: Tx, order_id: str, *, delay: timedelta) -> None:
    """Try again later: Telegram asked for patience or did not answer."""
    await tx.execute(
        sql(
            "UPDATE starbooth.deliveries SET busy_until = NULL, tries = tries + 1, due_at = now() + :delay"
            " WHERE order_id = :id"
        ),
        {"id": order_id, "delay": delay},
    )


async def give_up(tx: Tx, order_id: str) -> None:
    """Stop trying: the guest does not take our messages. The pictures stay in storage and in the history."""
    await tx.execute(
        sql(
            "UPDATE starbooth.deliveries SET state = 'undeliverable', busy_until = NULL WHERE order_id = :id"
        ),
        {"id": order_id},
    )


async def move_chat(tx: Tx, *, from_chat_id: int, to_chat_id: int) -> None:
    """A group became another chat: what is still owed goes there, as new messages. Repeat: harmless."""
    await tx.execute(
        sql(
            "UPDATE starbooth.deliveries SET chat_id = :to_chat_id, message_id = NULL,"
            " reply_to_message_id = NULL, thread_id = NULL, fingerprint = NULL, album = '{}', album_sends = 0"
            " WHERE chat_id = :from_chat_id AND state = 'open'"
        ),
        {"from_chat_id": from_chat_id, "to_chat_id": to_chat_id},
    )


async def send_home(tx: Tx, order_id: str) -> bool:
    """Owe to the guest's private chat what a group does not take. False where that chat takes nothing either,
    or was tried already: then nothing is changed.
    """
    rows = await tx.execute(
        sql("""
            UPDATE starbooth.deliveries d SET chat_id = g.chat_id, message_id = NULL, thread_id = NULL,
                reply_to_message_id = NULL, fingerprint = NULL, busy_until = NULL, due_at = now(),
                album = '{}', album_sends = 0
            FROM starbooth.orders o JOIN starbooth.guests g ON g.user_id = o.user_id
            WHERE d.order_id = :id AND o.id = d.order_id AND d.chat_id <> g.chat_id
                AND NOT g.has_blocked_bot
            RETURNING 1
        """),
        {"id": order_id},
    )
    return rows.first() is not None
